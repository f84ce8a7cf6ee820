# MSGin5G (3GPP TS 23.554, 24.538) for boards and hosts.
#
#     from msgin5g import Client
#
# Nothing is loaded until it is asked for: a board pays for what it uses.


def __getattr__(name):
    if name == "Client":
        from .client import Client

        return Client
    raise AttributeError(name)
