"""MSGin5G-3: the server's HTTP interfaces of TS 29.538, towards Application Servers and Message Gateways."""
