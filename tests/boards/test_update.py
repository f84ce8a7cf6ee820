"""Updates by message: a board that runs, a lab, and `msgin5g update` between them."""

import json
import os
import re
import subprocess
import typing

import pytest
from command_line import call
from msgin5g.board import bundle as on_board
from pretended import SETTINGS, Console, deployed, needs_board

from host_tools import lab as labs
from host_tools.application_server import ApplicationServer, Message, Refused, Report
from host_tools.boards import bundle, update
from host_tools.boards.board import BoardError
from host_tools.cli import Failed
from tests.system.processes import MSGIN5G

UE = "board-1@lab"
TRIAL = 4


def saying(text, more=""):
    return f"async def main(ue, board):\n    print('app', {text!r})\n{more}"


# -- what is sent


def write(folder, **files):
    folder.mkdir(exist_ok=True)
    for name, text in files.items():
        (folder / (name + ".py")).write_text(text)
    return folder


def test_a_bundle_is_what_boards_take(tmp_path):
    folder = write(tmp_path / "lib", one="a = 1\n")
    write(tmp_path, app=saying("x"))
    found = bundle.files([tmp_path / "app.py", folder])
    assert [file.name for file in found] == ["app.py", "one.py"]
    body = bundle.body(found, 7)
    key = on_board.key({"master_secret": "00" * 16})
    signed = bundle.signed(body, key)
    taken = on_board.Bundle(lambda: iter([signed]), key)
    target = tmp_path / "target"
    target.mkdir()
    taken.unpack(str(target))
    assert taken.version == 7
    assert (target / "app.py").read_text() == saying("x")
    assert (target / "one.py").read_text() == "a = 1\n"


def test_compiled_it_is_smaller(tmp_path):
    write(tmp_path, app=saying("x", "    # a comment\n" * 50))
    (file,) = bundle.files([tmp_path / "app.py"], compiled=True)
    assert file.name == "app.mpy"
    assert file.octets[:1] == b"M"
    assert len(file.octets) < (tmp_path / "app.py").stat().st_size


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["gone.py"], "gone.py: No such file"),
        (["bad.py", "app.py"], "bad.py does not compile for MicroPython"),
        (["other.py"], "name an app.py"),
        (["app.py", "sub/app.py"], "there is another app.py"),
        (["app.py", "a b.txt"], "'a b.txt' is no name for a board"),
    ],
)
def test_what_can_not_be_sent_is_said_before(tmp_path, names, said):
    write(tmp_path, app=saying("x"), bad="def\n", other="")
    write(tmp_path / "sub", app=saying("y"))
    (tmp_path / "a b.txt").write_text("")
    with pytest.raises(BoardError, match=re.escape(said)):
        bundle.files([tmp_path / name for name in names])


def test_what_is_too_large_is_said_before():
    with pytest.raises(BoardError, match="at most 48,000 go at once"):
        bundle.body([bundle.File("app.py", b"x" * 50_000)], 1)
    for version in (0, -1, 1 << 32):
        with pytest.raises(BoardError, match="expected a number"):
            bundle.body([], version)


def test_a_board_that_is_not_enrolled_gets_nothing(tmp_path):
    write(tmp_path, app=saying("x"))
    settings = tmp_path / "gateway.toml"
    settings.write_text('ue_service_id = "gateway@lab"\nserver = "127.0.0.1:9"\nsecurity = "oscore"\n')
    where = ("--settings", settings, "--server", "http://127.0.0.1:9")
    with pytest.raises(Failed, match="nobody@lab is not enrolled"):
        call("update", "nobody@lab", tmp_path / "app.py", *where, env={"MSGIN5G_TOKEN": "a-token"})


def test_it_has_to_be_said_where(tmp_path):
    write(tmp_path, app=saying("x"))
    with pytest.raises(Failed, match="name --lab DIR"):
        call("update", UE, tmp_path / "app.py")


class FakeServer:
    """In the place of an Application Server: devices that tell what they like, as soon as they are sent something."""

    told: typing.ClassVar[dict] = {}

    def __init__(self, identity, server, token, on_message, on_report):
        self.app = None
        self._on_message, self._on_report = on_message, on_report

    new_message_id = staticmethod(ApplicationServer.new_message_id)

    async def register(self, target_uri):
        pass

    async def deregister(self):
        pass

    async def close(self):
        pass

    async def send(self, payload, ue, application, message_id):
        if ue == "gone@lab":
            raise Refused("404")
        self._on_report(Report(message_id, ue != "full@lab", "STORE_FULL"))
        for originator, told in self.told.get(ue, ()):
            payload = json.dumps({"update": message_id} | told) if isinstance(told, dict) else told
            self._on_message(Message(originator, "x", payload, application))


async def test_each_board_speaks_for_itself(monkeypatch):
    installed = {"outcome": "installed", "why": "", "version": 1}
    monkeypatch.setattr(update, "ApplicationServer", FakeServer)
    FakeServer.told = {
        "good@lab": [("good@lab", installed)],
        "bad@lab": [("bad@lab", {"outcome": "rolled back", "why": "it crashed", "version": 1})],
        "mute@lab": [("good@lab", installed), ("mute@lab", "{"), ("mute@lab", "[]"), ("mute@lab", None)],
    }
    boards = ["good@lab", "bad@lab", "gone@lab", "full@lab", "mute@lab"]
    steps = {}
    one = update.Update(dict.fromkeys(boards, b""), steps.__setitem__)
    outcomes = await one.run("as@lab", "http://127.0.0.1:9", "token", "127.0.0.1:0", 0.5)
    assert [(outcome.outcome, outcome.installed) for outcome in outcomes] == [
        ("installed", True),
        ("rolled back", False),
        ("refused", False),
        ("refused", False),
        ("arrived", False),
    ]
    assert [outcome.why for outcome in outcomes[1:]] == [
        "it crashed",
        "by the server: 404",
        "not delivered: STORE_FULL",
        "it has told nothing more in 0.5 s",
    ]
    assert steps == {"good@lab": 1, "bad@lab": 1, "gone@lab": 1, "full@lab": 1, "mute@lab": 0.5}


# -- what becomes of it


@pytest.fixture
def lab(tmp_path):
    folder = tmp_path / "lab"
    with subprocess.Popen([MSGIN5G, "up", "--dir", folder], stdout=subprocess.PIPE) as process:
        assert process.stdout
        assert json.loads(process.stdout.readline())["dir"] == str(folder)
        yield folder
        process.terminate()


class Field:
    """A board that is enrolled in the lab, and who updates it."""

    def __init__(self, board, console, lab, folder):
        self.board = board
        self.console = console
        self._lab = lab
        self._folder = folder

    def deploy(self, text):
        file = self._folder / "deployed.py"
        file.write_text(text)
        command = [MSGIN5G, "deploy", "ESP32_GENERIC", "--port", self.board.port, "--app", file, "--json"]
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr

    def update(self, text, *options, files=()):
        file = self._folder / "app.py"
        file.write_text(text)
        command = [
            MSGIN5G,
            "update",
            UE,
            file,
            *files,
            "--lab",
            self._lab,
            "--json",
            "--wait",
            "60",
            *options,
        ]
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        assert done.stdout, done.stderr
        told = json.loads(done.stdout)
        assert told["ue_service_id"] == UE
        assert (done.returncode == 0) == (told["outcome"] == "installed")
        return told["outcome"], told["why"]


@pytest.fixture
def field(lab, library, tmp_path):
    device = json.loads(labs.enrol(lab, UE).read_text())
    settings = SETTINGS | {"trial": TRIAL, "watchdog": 10}
    with deployed(tmp_path, library, saying("as deployed"), settings, device) as pretended:
        console = Console(pretended)
        console.wait("registered as")
        yield Field(pretended, console, lab, tmp_path)


@needs_board
def test_an_update_is_tried_and_kept(field):
    assert field.update(saying("new"), "--version", "5") == ("installed", "")
    text = field.console.wait("has passed its trial")
    assert "update 5: written, to be tried" in text
    assert "app new" in text
    # The same again is nothing new, and an older one is refused.
    assert field.update(saying("new"), "--version", "5") == ("installed", "")
    outcome, why = field.update(saying("old"), "--version", "4")
    assert outcome == "refused"
    assert "version 5 came before" in why
    assert field.update(saying("newer"), "--mpy", "--version", "6") == ("installed", "")
    assert "app newer" in field.console.wait("has passed its trial")
    # One for each bundle, before it is read, and one for each that was tried.
    assert field.board.resets == 6


@needs_board
def test_what_is_deployed_by_hand_counts_from_then_on(field):
    assert field.update(saying("new")) == ("installed", "")
    field.deploy(saying("by hand"))
    field.console.type("\x04")
    assert "app by hand" in field.console.wait("registered as")
    outcome, why = field.update(saying("old"), "--version", "4")
    assert outcome == "refused"
    assert "not newer" in why


@needs_board
def test_one_that_crashes_goes_back(field):
    outcome, why = field.update("async def main(ue, board):\n    raise ValueError('bad app')\n")
    assert outcome == "rolled back"
    assert "crashed" in why
    text = field.console.wait("app as deployed")
    assert text.count("ValueError: bad app") == 2
    assert "safe mode" not in text


@needs_board
def test_one_that_breaks_the_registration_goes_back(field):
    outcome, why = field.update(
        saying("deaf", "    await ue.until_registered()\n    await ue.deregister()\n")
    )
    assert outcome == "rolled back"
    assert why == f"not registered {TRIAL} s after its start"
    assert "app deaf" in field.console.wait("app as deployed")


@needs_board
def test_one_that_is_signed_with_another_key_is_refused(field, lab):
    other = labs.enrol(lab, "board-2@lab")
    device = json.loads(other.read_text())
    key = on_board.key(device["oscore"]).hex()
    # As if the registry had another key than the board.
    script = (
        "import sys; from host_tools.security import devices;"
        f"devices.Devices.update_key = lambda self, ue: bytes.fromhex('{key}');"
        "from host_tools.cli import main; main()"
    )
    python = MSGIN5G.with_name("python")
    (lab.parent / "app.py").write_text(saying("forged"))
    done = subprocess.run(
        [python, "-c", script, "update", UE, lab.parent / "app.py", "--lab", lab, "--json"],
        check=False,
        capture_output=True,
        text=True,
    )
    told = json.loads(done.stdout)
    assert told["outcome"] == "refused"
    assert "its signature is wrong" in told["why"]
    assert field.board.resets == 1
    text = field.console.wait("registered as")
    assert "update 0: refused: its signature is wrong" in text
    assert "app as deployed" in text


@needs_board
def test_a_large_one_with_files_in_folders(field, tmp_path):
    data = tmp_path / "more"
    (data / "lib").mkdir(parents=True)
    (data / "lib" / "helper.py").write_text("WORD = 'helped'\n")
    (data / "curve.bin").write_bytes(os.urandom(40_000))
    text = (
        "import os, sys\nfrom lib.helper import WORD\nasync def main(ue, board):\n"
        "    print('app', WORD, os.stat(sys.path[0] + '/curve.bin')[6])\n"
    )
    assert field.update(text, files=[data]) == ("installed", "")
    assert "app helped 40000" in field.console.wait("has passed its trial")
