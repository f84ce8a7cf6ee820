# The prompt of a pretended board, since MicroPython's Unix port has no raw REPL: the protocol that mpremote speaks
# (MicroPython's documentation, "Raw mode and raw-paste mode"), and simple lines for people.

import io
import sys

_A, _B, _D, _E = b"\x01", b"\x02", b"\x04", b"\x05"
_WINDOW = 128
_RAW_BANNER = "raw REPL; CTRL-B to exit\r\n>"


def serve(banner, names, on_ready):
    # Until Ctrl-D on an empty line, which is a soft reset. names: what programs at the prompt work with. A read that
    # Ctrl-C has interrupted gives nothing.
    raw = False
    line = bytearray()
    greeted = False
    while True:
        try:
            if not greeted:
                greeted = True
                _friendly(banner)
                on_ready()
            octet = _in().read(1)
            if octet == _A or octet == _B:
                raw = octet == _A
                line = bytearray()
                if raw:
                    _say(_RAW_BANNER)
                else:
                    _friendly(banner)
            elif octet == _D:
                if not (raw and line):
                    return
                program, line = line, bytearray()
                _say("OK")
                _run(program, names)
            elif raw and octet == _E and not line:
                if _in().read(2) == b"A\x01":
                    program = _pasted()
                    _say("\x04")
                    _run(program, names)
            elif not raw and octet in (b"\r", b"\n"):
                program, line = line, bytearray()
                _line(program, names)
            else:
                line.extend(octet)
                if not raw:
                    _out().write(octet)
        except KeyboardInterrupt:
            line = bytearray()
            _say(">" if raw else "\r\n>>> ")


def _run(program, names):
    error = _execute(program, names)
    _say("\x04")
    _say(error)
    _say("\x04>")


def _pasted():
    _say("R\x01")
    _out().write(bytes((_WINDOW, 0)))
    source = bytearray()
    left = _WINDOW
    while True:
        octet = _in().read(1)
        if octet == _D:
            return source
        if not octet:
            continue
        source.extend(octet)
        left -= 1
        if not left:
            left = _WINDOW
            _say("\x01")


def _execute(source, names):
    # What it raised, as text.
    try:
        exec(compile(str(source, "utf-8"), "<stdin>", "exec"), names)
    except SystemExit:
        raise
    except BaseException as error:
        text = io.StringIO()
        sys.print_exception(error, text)
        return text.getvalue().replace("\n", "\r\n")
    return ""


def _line(line, names):
    _say("\r\n")
    text = str(line, "utf-8").strip()
    if text:
        try:
            value = eval(compile(text, "<stdin>", "eval"), names)
            error = ""
            if value is not None:
                print(repr(value))
        except SyntaxError:
            error = _execute(line, names)
        except SystemExit:
            raise
        except BaseException as raised:
            error = ""
            sys.print_exception(raised)
        _say(error)
    _say(">>> ")


def _friendly(banner):
    _say("\r\n" + banner + '\r\nType "help()" for more information.\r\n>>> ')


def _in():
    return sys.stdin.buffer


def _out():
    return sys.stdout.buffer


def _say(text):
    sys.stdout.write(text)
