# Links: the only place of the firmware that touches a socket, a UART or a radio.
