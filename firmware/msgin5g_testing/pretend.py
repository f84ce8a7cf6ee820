# What a pretended board runs before anything of its own: it becomes the board, then does what a board does when it
# starts: boot.py, then main.py, then its prompt.
#
#     micropython pretend.py '{"platform": ..., "machine": ..., "image": ..., "blocks": ..., "main": true}'
#
# It ends with the status RESET when the board has reset itself.

import json
import sys

# Exit statuses that tell who has started this process what the board did.
RESET = 17

_FAKED = ("machine", "network", "espnow")


class _Sys:
    # The module sys, but for what it says of the board.
    def __init__(self, platform, machine):
        self.platform = platform
        self.implementation = _Implementation(machine)

    def __getattr__(self, name):
        return getattr(_sys, name)


class _Implementation:
    name = "micropython"

    def __init__(self, machine):
        self._machine = machine
        self.version = _sys.implementation.version
        self._mpy = _sys.implementation._mpy


_sys = sys


def _become(board):
    from msgin5g_testing import flash_image

    for name in _FAKED:
        try:
            module = __import__("msgin5g_testing." + name)
        except ImportError:
            continue
        sys.modules[name] = getattr(module, name)
    # The simulation's own folder is out of reach from here on.
    flash_image.become_root(board["image"], board["blocks"])
    sys.modules["sys"] = _Sys(board["platform"], board["machine"])
    sys.argv[:] = [""]


def _run(name):
    # As a board does: what it raises is printed, and the REPL is there then.
    try:
        with open(name) as file:
            source = file.read()
    except OSError:
        return
    try:
        exec(compile(source, name, "exec"), globals())
    except SystemExit:
        raise
    except BaseException as error:
        # A KeyboardInterrupt too: somebody has come to the REPL.
        sys.print_exception(error)


def start(board):
    from msgin5g_testing import repl

    _become(board)
    _run("boot.py")
    if board["main"]:
        _run("main.py")
    version = ".".join([str(number) for number in _sys.implementation.version[:3]])
    repl.serve("MicroPython v%s; %s" % (version, board["machine"]), globals())


if __name__ == "__main__":
    start(json.loads(sys.argv[1]))
