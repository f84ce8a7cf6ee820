"""`msgin5g deploy` onto a pretended board."""

import os
import threading
import time

import msgspec
import pytest
from command_line import told
from pretended import needs_board

from host_tools.boards import board as boards
from host_tools.boards import deploy
from host_tools.boards.board import BoardError
from host_tools.boards.serial_board import Identity, SerialBoard
from host_tools.cli import Failed
from host_tools.simulator.pretended_board import Pretence, PretendedBoard

pytestmark = needs_board
NAME = "RPI_PICO"
ESP32 = boards.load("ESP32_GENERIC")


@pytest.fixture
def board(tmp_path, monkeypatch):
    # A few components, so that it takes seconds and not a minute.
    few = boards.load(NAME)
    monkeypatch.setattr(boards, "load", lambda name: _with_components(few, ["base", "aggregation"]))
    with PretendedBoard(tmp_path / "board", few.pretence()) as found:
        yield found


def _with_components(kind, components):
    assert set(components) <= set(deploy.packages.components())
    return msgspec.structs.replace(kind, components=components)


@pytest.fixture
def small(monkeypatch):
    """Of the components only a few modules."""
    monkeypatch.setattr(deploy.packages, "with_needs", lambda table, name: {name})
    monkeypatch.setattr("host_tools.cli_deploy._heap_with_client", lambda found: found.identity().heap_free)
    monkeypatch.setattr(deploy, "use_application", lambda found: None)


def test_it_is_there_afterwards_and_again_nothing_is_done(board, small):
    first = told("deploy", NAME, "--port", board.port)
    assert first["written"] == 5 and first["removed"] == 0 and not first["frozen"]
    assert first["flash_free"] < first["flash_free_before"]
    with SerialBoard(board.port) as found:
        assert set(found.files("/")) == {
            "/main.py",
            "/app.py",
            "/lib/msgin5g/__init__.mpy",
            "/lib/msgin5g/ticks.mpy",
            "/lib/msgin5g/aggregation.mpy",
        }
        assert found.ask("import msgin5g.ticks as t\nprint(t.add(5, 3))") == 8
    again = told("deploy", NAME, "--port", board.port)
    assert (again["written"], again["removed"], again["unchanged"]) == (0, 0, 4)


def test_only_what_has_changed_is_written_and_what_is_left_over_goes(board, small):
    told("deploy", NAME, "--port", board.port)
    with SerialBoard(board.port) as found:
        found.write("/lib/msgin5g/ticks.mpy", b"damaged")
        found.write("/lib/msgin5g/old.mpy", b"of an earlier version")
        found.write("/mine.txt", b"a user's")
        found.write("/app.py", b"print('mine')\n")
    done = told("deploy", NAME, "--port", board.port)
    assert (done["written"], done["removed"]) == (1, 1)
    with SerialBoard(board.port) as found:
        assert found.read("/mine.txt") == b"a user's"
        assert found.read("/app.py") == b"print('mine')\n"
        assert found.read("/lib/msgin5g/old.mpy") is None


def test_a_dry_run_changes_nothing(board, small):
    done = told("deploy", NAME, "--port", board.port, "--dry-run")
    assert done["written"] == 5
    with SerialBoard(board.port) as found:
        assert found.files("/") == {}


def test_an_application_of_ones_own(board, small, tmp_path):
    mine = tmp_path / "mine.py"
    mine.write_text("async def main(ue, board):\n    pass\n")
    told("deploy", NAME, "--port", board.port, "--app", mine)
    with SerialBoard(board.port) as found:
        assert found.read("/app.py") == mine.read_bytes()
    mine.write_text("async def main(ue, board)\n    pass\n")
    with pytest.raises(Failed, match=r"mine.py does not compile for MicroPython"):
        told("deploy", NAME, "--port", board.port, "--app", mine)


def test_a_main_that_is_somebody_elses_is_left_alone(board, small):
    with SerialBoard(board.port) as found:
        found.write("/main.py", b"print('blinking')\n")
    with pytest.raises(Failed, match=r"main.py on it that is not ours: save it, or say --replace"):
        told("deploy", NAME, "--port", board.port)
    assert told("deploy", NAME, "--port", board.port, "--replace")["written"] == 5


def test_pulled_out_in_the_midst_the_same_command_goes_on(board, small, monkeypatch):
    # After the second file its plug is pulled.
    whole = SerialBoard.write
    files = []

    def pulled(self, name, octets, on_written=None):
        files.append(name)
        if len(files) == 3:
            threading.Thread(target=board.__exit__).start()
            time.sleep(0.5)
        whole(self, name, octets, on_written)

    monkeypatch.setattr(SerialBoard, "write", pulled)
    with pytest.raises(Failed, match=r"plug it in|No such file"):
        told("deploy", NAME, "--port", board.port)
    monkeypatch.setattr(SerialBoard, "write", whole)
    with board:
        done = told("deploy", NAME, "--port", board.port)
        # The example of an application was there already, and stays.
        assert done["written"] == 3 and done["unchanged"] == 1


def test_another_kind_of_board_is_named(board):
    with (
        SerialBoard(board.port) as found,
        pytest.raises(BoardError, match="Pico with RP2040, not a ESP32_GENERIC"),
    ):
        deploy.check(ESP32, found.identity())


IDENTITY = Identity(
    "micropython", (1, 25, 0), "Raspberry Pi Pico with RP2040", 0x706, "rp2", 1 << 20, 1 << 21, 1, 1
)


def test_an_old_micropython_is_named():
    kind = boards.load(NAME)
    deploy.check(kind, IDENTITY)
    with pytest.raises(
        BoardError, match=r"MicroPython 1.18.0 on it .* `msgin5g flash RPI_PICO` puts a newer one"
    ):
        deploy.check(kind, IDENTITY._replace(version=(1, 18, 0), mpy=0x205))


def test_a_board_without_room_is_not_begun():
    what = deploy.Plan([deploy.File("/a", bytes(5000)), deploy.File("/b", bytes(10))], [], 0, False)
    deploy.check_room(what, IDENTITY._replace(free=3 * 4096))
    with pytest.raises(BoardError, match="8192 octets free and 12288 are needed"):
        deploy.check_room(what, IDENTITY._replace(free=2 * 4096))


def test_a_full_board_is_named(tmp_path):
    with (
        PretendedBoard(tmp_path / "board", Pretence(file_system=64 << 10)) as full,
        SerialBoard(full.port) as found,
    ):
        found.write("/kept", b"old")
        with pytest.raises(BoardError, match="it is full"):
            found.write("/kept", bytes(100_000))
        assert found.read("/kept") == b"old"
        assert "/kept.new" not in found.files("/")


def test_a_program_may_be_silent_for_long(board):
    with SerialBoard(board.port) as found:
        assert found.ask("import time\ntime.sleep(12)\nprint(7)") == 7
        with pytest.raises(BoardError, match="ZeroDivisionError: divide by zero"):
            found.run("1/0")


def test_a_port_that_somebody_uses_is_named(board):
    with (
        SerialBoard(board.port),
        pytest.raises(BoardError, match="close the program that uses it"),
        SerialBoard(board.port),
    ):
        pass


def test_a_port_without_micropython_is_named(tmp_path):
    master, slave = os.openpty()
    with pytest.raises(BoardError, match="is MicroPython on it"), SerialBoard(os.ttyname(slave)):
        pass
    os.close(master)
    os.close(slave)
