# What a pretended board runs before anything of its own: it becomes the board, then does what a board does when it
# starts: boot.py, then main.py, then its prompt.
#
#     micropython pretend.py '{"platform": ..., "machine": ..., "image": ..., "main": true, "without": [], ...}'
#
# without: modules that this board has not.
# Beside the image are the other ends of what it pretends: it tells what its pins do, and that it resets, in lines of
# JSON to the pipe "said"; the networks in the air are in air.json; uart is the terminal behind its UARTs.

import json
import sys


class _Sys:
    # The module sys, but for what it says of the board.
    def __init__(self, platform, machine):
        self.platform = platform
        self.implementation = _Implementation(machine)

    def __getattr__(self, name):
        return getattr(_sys, name)


class _Nothing:
    pass


class _Implementation:
    name = "micropython"

    def __init__(self, machine):
        self._machine = machine
        self.version = _sys.implementation.version
        self._mpy = _sys.implementation._mpy


_sys = sys


def _become(board):
    from msgin5g_testing import espnow, flash_image, machine, network

    said = open("said", "w")

    def tell(what):
        what["boot"] = board["boot"]
        said.write(json.dumps(what) + "\n")

    machine.tell = tell
    machine.cause = board["cause"]
    machine.Timer.runs = True
    machine.on_level = lambda pin, level: tell({"pin": pin, "level": level})
    _open_air(network)
    _open_uarts(machine)
    for module in (machine, network, espnow):
        sys.modules[module.__name__.split(".")[-1]] = module
    for name in board["without"]:
        if name in sys.modules:
            del sys.modules[name]
        else:
            # MicroPython here has it built in: it is there, with nothing in it.
            sys.modules[name] = _Nothing()
    # The simulation's own folder is out of reach from here on.
    flash_image.become_root(board["image"], board["blocks"])
    sys.modules["sys"] = _Sys(board["platform"], board["machine"])
    sys.argv[:] = [""]


def _open_air(network):
    try:
        file = open("air.json")
    except OSError:
        return

    def refresh():
        file.seek(0)
        try:
            there = json.load(file)
        except ValueError:
            # It is being written.
            return
        network.air.clear()
        network.air.update(there)

    network.refresh = refresh


def _open_uarts(machine):
    from msgin5g_testing.line import Line

    try:
        line = Line("uart")
    except OSError:
        return
    for number in range(3):
        machine.uarts[number] = line


def _run(name, on_begin):
    # As a board does: what it raises is printed, and the REPL is there then.
    try:
        with open(name) as file:
            code = compile(file.read(), name, "exec")
    except OSError:
        return
    except SyntaxError as error:
        sys.print_exception(error)
        return
    try:
        on_begin()
        exec(code, globals())
    except SystemExit:
        raise
    except BaseException as error:
        # A KeyboardInterrupt too: somebody has come to the REPL.
        sys.print_exception(error)


def start(board):
    from msgin5g_testing import machine, repl

    def ready():
        # From here on Ctrl-C does what it does on a board.
        machine.tell({"ready": True})

    version = ".".join([str(number) for number in _sys.implementation.version[:3]])
    banner = "MicroPython v%s; %s" % (version, board["machine"])
    _become(board)
    try:
        _run("boot.py", _ignore)
        if board["main"]:
            _run("main.py", ready)
    except KeyboardInterrupt:
        # One more, while the first was told of: that ends no board.
        pass
    repl.serve(banner, globals(), ready)


def _ignore():
    pass


if __name__ == "__main__":
    start(json.loads(sys.argv[1]))
