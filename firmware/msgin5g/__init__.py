# MSGin5G (3GPP TS 23.554, 24.538) for boards and hosts.
#
#     from msgin5g import Client
#
# Nothing is loaded until it is asked for: a board pays for what it uses.

import sys


def forget(name):
    # A module that was used once, and is loaded again when it is needed again: a board has its heap back. Nothing on a
    # host, where others may be using it.
    if sys.implementation.name == "micropython":
        package, _, own = name.rpartition(".")
        del sys.modules[name]
        delattr(sys.modules[package], own)


def __getattr__(name):
    if name == "Client":
        from .client import Client

        return Client
    if sys.implementation.name == "micropython":
        # `from . import wire` asks here before the interpreter looks for a module of that name.
        return __import__(__name__ + "." + name, None, None, (name,))
    raise AttributeError(name)
