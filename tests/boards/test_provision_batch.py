"""`msgin5g provision --batch`: what is wrong is said before anything is done, and what failed is done later."""

import contextlib
import json
import re
import threading

import command_line
import pytest
from command_line import GATEWAY, PASSWORD
from pretended import needs_board

from host_tools.boards import batch
from host_tools.boards.batch import Arrivals, Report
from host_tools.boards.batch_screen import Screen
from host_tools.boards.board import BoardError
from host_tools.boards.networks import VARIABLE
from host_tools.boards.provision import DEVICE, SETTINGS, Wish
from host_tools.boards.serial_board import SerialBoard
from host_tools.cli import Failed
from host_tools.simulator.pretended_board import PretendedBoard

pytestmark = pytest.mark.usefixtures("password")
NAMES = [f"meter-{number}@example.org" for number in range(1, 6)]
COMMON = Wish(ue_service_id="", networks=(("site", ""),))


@pytest.fixture
def csv_file(tmp_path):
    return tmp_path / "boards.csv"


def invoke(csv_file, gateway, *options):
    done = command_line.invoke(
        "provision", "--batch", csv_file, gateway, "--wifi", "site", "--json", *options
    )
    return done.exit_code, [json.loads(line) for line in done.stdout.splitlines()]


def read(csv_file, text, **options):
    csv_file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return batch.read(csv_file, COMMON, GATEWAY, **options)


# -- boards


@pytest.fixture
def plugged(tmp_path):
    """Boards at ports of their own; each board is the same pretended one, with another flash."""
    with contextlib.ExitStack() as stack:
        boards = [PretendedBoard(tmp_path / f"board-{number}") for number in range(len(NAMES))]
        for board in boards:
            stack.enter_context(board)
        yield boards


@needs_board
def test_five_boards_of_which_two_fail_at_first(csv_file, gateway, devices, plugged, monkeypatch):
    rows = [f"{name},ESP32_GENERIC,{board.port}" for name, board in zip(NAMES, plugged, strict=True)]
    csv_file.write_text("ue_service_id,board,port\n" + "\n".join(rows) + "\n")
    whole = SerialBoard.write

    def write(self, name, octets, on_written=None):
        # The cable of the fourth is pulled between its files.
        if self.port == str(plugged[3].port) and name == DEVICE:
            threading.Thread(target=plugged[3].__exit__).start()
        whole(self, name, octets, on_written)

    monkeypatch.setattr(SerialBoard, "write", write)
    with SerialBoard(plugged[1].port):
        status, lines = invoke(csv_file, gateway)
    assert status == 1
    assert [line["state"] for line in lines[:-1]] == ["done", "failed", "done", "failed", "done"]
    assert "close the program that uses it" in lines[1]["reason"]
    assert "repeat the command" in lines[3]["reason"] or "plug it in" in lines[3]["reason"]
    assert lines[-1]["failed"] == 2 and len(devices.all()) == 3
    monkeypatch.setattr(SerialBoard, "write", whole)
    keys = {one.ue_service_id: one.enrolled for one in devices.all()}
    with plugged[3]:
        status, lines = invoke(csv_file, gateway)
    assert status == 0 and [line["ue_service_id"] for line in lines[:-1]] == [NAMES[1], NAMES[3]]
    assert lines[-1] == {
        "boards": 5,
        "done": 5,
        "failed": 0,
        "report": str(csv_file.parent / "boards.report.jsonl"),
    }
    assert (
        len(devices.all()) == 5
        and keys.items() <= {o.ue_service_id: o.enrolled for o in devices.all()}.items()
    )
    told = [json.loads(line) for line in (csv_file.parent / "boards.report.jsonl").read_text().splitlines()]
    assert [line["state"] for line in told] == ["done"] * 5
    assert PASSWORD not in str(told)
    # All is done: nothing is asked for, no board is touched.
    monkeypatch.delenv(VARIABLE)
    assert invoke(csv_file, gateway)[1][-1]["done"] == 5


@needs_board
def test_boards_that_are_plugged_in_one_after_the_other(csv_file, gateway, devices, plugged, monkeypatch):
    csv_file.write_text("ue_service_id,board\n" + "".join(f"{name},ESP32_GENERIC\n" for name in NAMES[:3]))
    monkeypatch.setattr("time.sleep", lambda _: None)
    coming = iter(
        [
            # What is there from the start is not meant.
            {"other"},
            {"other"},
            {"other", str(plugged[0].port)},
            {"other", str(plugged[0].port)},
            {"other"},
            {str(plugged[1].port)},
            {str(plugged[1].port)},
            # By mistake the first one again.
            {str(plugged[0].port)},
            {str(plugged[0].port)},
        ]
    )

    class Candidate:
        def __init__(self, device):
            self.device = device

    monkeypatch.setattr(
        "host_tools.boards.ports.candidates", lambda: [Candidate(port) for port in next(coming)]
    )
    status, lines = invoke(csv_file, gateway)
    assert status == 1
    assert [(line["port"], line["state"]) for line in lines[:2]] == [
        (str(plugged[0].port), "done"),
        (str(plugged[1].port), "done"),
    ]
    assert f"is {NAMES[0]} already: take another board" in lines[2]["reason"]
    coming = iter([set(), {str(plugged[2].port)}, {str(plugged[2].port)}])
    status, lines = invoke(csv_file, gateway)
    assert status == 0 and lines[0]["port"] == str(plugged[2].port)
    with SerialBoard(plugged[2].port) as found:
        device, settings = (json.loads(found.read(name) or b"") for name in (DEVICE, SETTINGS))
    assert device["ue_service_id"] == NAMES[2] and devices.holds(device)
    assert settings["networks"] == [["site", PASSWORD]]


# -- what is told before anything is done


def test_what_each_line_says_and_what_is_common(csv_file):
    rows = read(
        csv_file,
        b"\xef\xbb\xbfboard, ue_service_id ,port,link,wifi,address,ntp,channel\r\n"
        b"ESP32_GENERIC,a@x,,,,,,\r\n"
        b"\r\n"
        b'ESP32_GENERIC,"b@x, second",/dev/ttyUSB7,wifi,"caf\xc3\xa9 2",gw:5683,192.0.2.9,\r\n'
        b"RPI_PICO,c@x,,serial,,,,\r\n"
        b"ESP32_GENERIC,d@x,,espnow,,24:0a:c4:00:01:10,,6\r\n",
    )
    assert [(row.line, row.kind.name, row.port) for row in rows] == [
        (2, "ESP32_GENERIC", None),
        (4, "ESP32_GENERIC", "/dev/ttyUSB7"),
        (5, "RPI_PICO", None),
        (6, "ESP32_GENERIC", None),
    ]
    assert rows[0].wish == Wish(ue_service_id="a@x", networks=(("site", ""),))
    assert rows[1].wish == Wish(
        ue_service_id="b@x, second",
        networks=(("café 2", ""),),
        link="wifi",
        address="gw:5683",
        ntp="192.0.2.9",
    )
    assert rows[3].wish.channel == 6 and rows[3].wish.address == "24:0a:c4:00:01:10"


def test_all_that_is_wrong_is_told_with_its_line_and_nothing_is_done(csv_file, gateway, devices):
    csv_file.write_text(
        "ue_service_id,board,port,link,address,channel\n"
        "a@x,ESP32_GENERIC,/dev/1,,,\n"
        "b@x,ESP8266,,,,\n"
        "a@x,ESP32_GENERIC,/dev/2,,,\n"
        ",ESP32_GENERIC,,,,\n"
        "c@x,RPI_PICO,,wifi,,\n"
        "d@x,ESP32_GENERIC,/dev/1,,,\n"
        "e@x,ESP32_GENERIC\n"
        "f@x,ESP32_GENERIC,,,no port:70000,\n"
        "g@x,ESP32_GENERIC,,espnow,,six\n"
        f"{GATEWAY},ESP32_GENERIC,,,,\n"
        f"{'u' * 256},ESP32_GENERIC,,,,\n"
    )
    with pytest.raises(Failed) as failed:
        invoke(csv_file, gateway)
    first, *told = str(failed.value).splitlines()
    assert "nothing was done, since 10 lines can't be used" in first
    wanted = [
        (3, "there is no board 'ESP8266'; there are ESP32_GENERIC"),
        (4, "ue_service_id 'a@x': line 2 has it too"),
        (5, "ue_service_id is empty"),
        (6, "link 'wifi': a RPI_PICO has serial"),
        (7, "port '/dev/1': line 2 has it too"),
        (8, "2 cells; the header has 6"),
        (9, "address = 'no port:70000': expected host:port"),
        (10, "'six'"),
        (11, "that is the gateway's own"),
        (12, "has 1 to 255 characters"),
    ]
    assert len(told) == len(wanted)
    for line, (number, text) in zip(told, wanted, strict=True):
        assert line.startswith(f"{csv_file}:{number}: ") and text in line
    assert devices.all() == [] and not (csv_file.parent / "boards.report.jsonl").exists()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"", "no column 'ue_service_id'"),
        (b"a@x,ESP32_GENERIC\n", "no column 'ue_service_id'"),
        (b"ue_service_id;board\n", "no column 'ue_service_id'"),
        (b"ue_service_id,board,password\n", "column 'password'"),
        (b"ue_service_id,board,board\n", "column 'ue_service_id'.*each once"),
        (b"ue_service_id,board\n\n", "0 boards"),
        (b"ue_service_id,board\n" + b"a,ESP32_GENERIC\n" * 10_001, "10001 boards; expected 1 to 10000"),
        (b"ue_service_id,board\n\xff\xfe,ESP32_GENERIC\n", "csv:2: this is not UTF-8"),
        (b'ue_service_id,board\n"a"b,ESP32_GENERIC\n', r"csv:2: ',' expected after"),
        (b"ue_service_id,board\n" + b"x" * 200_000 + b",b\n", "csv:2: field larger than field limit"),
    ],
)
def test_what_is_no_batch(csv_file, text, said):
    with pytest.raises(BoardError, match=said):
        read(csv_file, text)


def test_a_file_that_is_not_there(csv_file, gateway):
    with pytest.raises(Failed, match=r"boards.csv: No such file"):
        invoke(csv_file, gateway)


def test_many_mistakes_are_not_all_told(csv_file):
    with pytest.raises(BoardError, match=r"since 300 lines can't be used(.|\n)*and 280 more$"):
        read(csv_file, "ue_service_id,board\n" + "a,b\n" * 300)


def test_for_labels_everything_has_to_be_said(csv_file):
    csv_file.write_text("ue_service_id,board\na@x,ESP32_GENERIC\n")
    bare = Wish(ue_service_id="")
    assert len(batch.read(csv_file, bare, GATEWAY)) == 1
    with pytest.raises(BoardError, match=":2: wifi is missing"):
        batch.read(csv_file, bare, GATEWAY, whole=True)


# -- the report


def test_a_report_is_whole_at_any_time(csv_file, tmp_path):
    rows = read(csv_file, "ue_service_id,board\na@x,ESP32_GENERIC\nb@x,ESP32_GENERIC\n")
    path = tmp_path / "report.jsonl"
    report = Report(path)
    report.add(rows[0], batch.FAILED, reason="pulled out")
    assert not Report(path).is_done(rows[0])
    report.add(rows[0], batch.DONE, outcome="provisioned")
    again = Report(path)
    assert again.is_done(rows[0]) and not again.is_done(rows[1])
    assert len(path.read_text().splitlines()) == 1 and not (tmp_path / "report.jsonl.new").exists()


@pytest.mark.parametrize(
    "text", ["{", "[]\n", '{"state": "done"}\n', "1\n", '{"ue_service_id": []}\n', "\xff"]
)
def test_what_is_no_report_is_named(csv_file, gateway, tmp_path, text):
    csv_file.write_text("ue_service_id,board\na@x,ESP32_GENERIC\n")
    (tmp_path / "mine.jsonl").write_text(text, encoding="latin-1")
    with pytest.raises(Failed, match="no report of a batch; name another file with --report"):
        invoke(csv_file, gateway, "--report", tmp_path / "mine.jsonl")


# -- boards that come


def test_a_board_that_was_pulled_is_new_when_it_comes_again():
    with_b = {"a", "b", "taken"}
    seen = iter([{"a"}, {"a"}, set(), {"a", "taken"}, {"a", "taken"}, {"a", "b"}, {"a"}, with_b, with_b])
    pauses = []
    arrivals = Arrivals(lambda: next(seen), lambda: pauses.append(1))
    assert arrivals.next({"taken"}) == "a" and len(pauses) == 3
    # Seen for a moment is not there yet.
    assert arrivals.next({"taken"}) == "b" and len(pauses) == 6


# -- the screen


def test_what_is_said_to_people(csv_file, gateway):
    csv_file.write_text("ue_service_id,board,port\na@x,ESP32_GENERIC,/dev/no-such-port\n")
    done = command_line.invoke("provision", "--batch", csv_file, gateway, "--wifi", "site")
    assert done.exit_code == 1
    failed, summary = done.stdout.splitlines()
    assert re.fullmatch(r"failed  a@x  /dev/no-such-port  .*No such file.*plug it in.*", failed)
    assert summary.startswith("0 of 1 boards are done, as ") and summary.endswith("those that have failed")
    assert "a@x at /dev/no-such-port: it is written" in done.stderr


def test_whose_turn_it_is(csv_file, capsys):
    [row] = read(csv_file, "ue_service_id,board\n[b]a@x,ESP32_GENERIC\n")
    with Screen(1, 0, as_json=False) as screen:
        screen.waits(row)
    assert "plug in [b]a@x, a ESP32_GENERIC" in capsys.readouterr().err
