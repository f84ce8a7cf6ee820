"""Our OSCORE on each runtime against aiocoap's, in real processes on loopback, both ways."""

import json
import secrets
import socket
import sys
from zlib import crc32

import pytest
from msgin5g.store.counter import Counter

from tests.interop.conftest import HERE, Server, command, free_port, run
from tests.interop.middlebox import MiddleBox

CHANGED, CONTENT, UNAUTHORIZED = 0x44, 0x45, 0x81
BIG = 20000


def body(size):
    return bytes([(at * 7 + (at >> 8)) & 0xFF for at in range(size)])


class Keys:
    """One context: aiocoap's half in a folder, ours as provisioning writes it."""

    def __init__(self, tmp_path, id_context=None):
        self.folder = tmp_path / "aiocoap"
        self.folder.mkdir()
        self._numbers = tmp_path / "numbers"
        secret, salt = secrets.token_hex(16), secrets.token_hex(8)
        theirs = {"sender-id_hex": "0a", "recipient-id_hex": "0b", "secret_hex": secret, "salt_hex": salt}
        if id_context:
            theirs["id-context_hex"] = id_context
        (self.folder / "settings.json").write_text(json.dumps(theirs))
        ours = {"master_secret": secret, "master_salt": salt, "sender_id": "0b", "recipient_id": "0a"}
        self.ours = tmp_path / "ours.json"
        self.ours.write_text(
            json.dumps({"oscore": {**ours, "id_context": id_context}, "numbers": str(self._numbers)})
        )

    def theirs_restarted(self):
        """As if aiocoap had lost its replay window to a power cut."""
        (self.folder / "sequence.json").write_text(json.dumps({"next-to-send": 1000, "received": "unknown"}))

    def ours_restarted(self):
        Counter(str(self._numbers)).save(640)


@pytest.fixture(params=[None, "a1b2c3d4e5f60718"], ids=["plain", "id-context"])
def keys(request, tmp_path):
    return Keys(tmp_path, request.param)


@pytest.fixture
def processes():
    started = []
    yield started
    for process in started:
        process.stop()


class Recorder(MiddleBox):
    """Keeps what went to the server."""

    def __init__(self, port):
        super().__init__(port)
        self.requests = []

    def _relay(self, sock, datagram, address):
        if address == self._server:
            self.requests.append(datagram)
        super()._relay(sock, datagram, address)


def played_again(port, datagram):
    """The code that a datagram is answered with when a stranger sends it, under another Message ID."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(5)
        sock.sendto(datagram[:2] + b"\x99\x99" + datagram[4:], ("127.0.0.1", port))
        return sock.recv(2000)[1]


# -- our client


@pytest.fixture
def ask(runtime, keys, processes):
    """ask(steps) -> what our client tells of each, from an aiocoap server of its own; ask.port is a port to it."""
    port = free_port()

    def ask_(steps, through=None):
        if not processes:
            argv = [sys.executable, HERE / "aiocoap_server.py", port, keys.folder]
            processes.append(Server(argv, port).wait_for_line())
        argv, environment = command(runtime, "peer_client.py")
        output = run([*argv, through or port, json.dumps(steps), 200, 6, keys.ours], environment)
        return [json.loads(line) for line in output.splitlines()]

    ask_.port = port  # pyright: ignore[reportFunctionMemberAccess]
    return ask_


def is_body(record, size, code):
    assert (record["code"], record["size"], record["seal"]) == (code, size, crc32(body(size)))


def test_our_client_asks(ask):
    steps = [
        {"do": "post", "path": "echo", "size": 50},
        {"do": "post", "path": "echo", "size": 50, "con": False},
        {"do": "post", "path": "echo", "size": BIG},
        {"do": "put", "path": "store", "size": BIG},
        {"do": "get", "path": "store"},
        {"do": "get", "path": "slow"},
        {"do": "get", "path": "missing"},
    ]
    # MicroPython takes no argument of more than 255 octets.
    *records, _ = ask(steps[:4])
    *more, end = ask(steps[4:])
    records += more
    for record, size in zip(records, (50, 50, BIG), strict=False):
        is_body(record, size, CHANGED)
    is_body(records[4], BIG, CONTENT)
    assert "slow" in records[5]["head"] and records[6]["code"] == 0x84
    assert not any(count for name, count in end["counters"].items() if name.startswith("oscore_"))
    assert end["occupancy"]["exchanges"] == 0
    # The next life of the client goes on behind its last number.
    again, end = ask([{"do": "post", "path": "echo", "size": 10}])
    is_body(again, 10, CHANGED)
    assert end["counters"]["retransmitted"] == 0


def test_our_client_observes(ask):
    observed, end = ask([{"do": "observe", "path": "count", "count": 5, "quiet": 400}])
    assert len(observed["seen"]) == len(set(observed["seen"])) == 5 and observed["after_cancel"] == 0
    assert not any(count for name, count in end["counters"].items() if name.startswith("oscore_"))


def test_our_client_answers_the_echo_of_a_restarted_server(ask, keys):
    keys.theirs_restarted()
    first, second, end = ask([{"do": "post", "path": "echo", "size": 30}] * 2)
    is_body(first, 30, CHANGED)
    is_body(second, 30, CHANGED)
    # Two requests and one repetition.
    assert end["counters"]["sent"] == 3 and end["counters"]["retransmitted"] == 0


def test_our_request_can_not_be_played_again(ask):
    first, _ = ask([{"do": "post", "path": "echo", "size": 30}])
    is_body(first, 30, CHANGED)
    with Recorder(ask.port) as box:
        recorded, _ = ask([{"do": "post", "path": "echo", "size": 30}], box.port)
        is_body(recorded, 30, CHANGED)
    assert played_again(ask.port, box.requests[0]) == UNAUTHORIZED


def test_our_client_asks_through_loss(ask):
    ask([{"do": "post", "path": "echo", "size": 1}])
    with MiddleBox(ask.port, loss=20, duplication=10, jitter=0.02, seed=4) as box:
        record, end = ask([{"do": "post", "path": "echo", "size": 6000}], box.port)
    is_body(record, 6000, CHANGED)
    assert box.lost and end["counters"]["retransmitted"]


# -- our server


@pytest.fixture
def answer(runtime, keys, processes):
    """answer(steps) -> what aiocoap's client tells of each, from a server of ours."""
    port = free_port()

    def answer_(steps, through=None):
        if not processes:
            argv, environment = command(runtime, "peer_server.py")
            processes.append(Server([*argv, port, 200, keys.ours], port, environment).wait_for_line())
        argv = [sys.executable, HERE / "aiocoap_client.py", through or port, json.dumps(steps), keys.folder]
        return [json.loads(line) for line in run(argv).splitlines()]

    answer_.port = port  # pyright: ignore[reportFunctionMemberAccess]
    return answer_


def test_our_server_is_asked(answer):
    steps = [
        {"do": "post", "path": "echo", "size": 50},
        {"do": "post", "path": "echo", "size": 50, "con": False},
        {"do": "post", "path": "echo", "size": BIG},
        {"do": "put", "path": "store", "size": BIG},
        {"do": "get", "path": "store"},
        {"do": "get", "path": "slow"},
        {"do": "get", "path": "missing"},
    ]
    records = answer(steps)
    for record, size in zip(records, (50, 50, BIG), strict=False):
        is_body(record, size, CHANGED)
    is_body(records[4], BIG, CONTENT)
    assert "slow" in records[5]["head"] and records[6]["code"] == 0x84


def test_our_server_is_observed(answer):
    [observed] = answer([{"do": "observe", "path": "count", "count": 4}])
    numbers = [int(seen) for seen in observed["seen"]]
    assert numbers == sorted(set(numbers)) and len(numbers) == 4


def test_our_server_asks_for_an_echo_after_a_restart(answer, keys):
    keys.ours_restarted()
    first, second, counters = answer(
        [{"do": "post", "path": "echo", "size": 30}] * 2 + [{"do": "get", "path": "counters"}]
    )
    is_body(first, 30, CHANGED)
    is_body(second, 30, CHANGED)
    assert counters["code"] == CONTENT


def test_a_request_to_our_server_can_not_be_played_again(answer):
    answer([{"do": "post", "path": "echo", "size": 1}])
    with Recorder(answer.port) as box:
        [recorded] = answer([{"do": "post", "path": "echo", "size": 30}], box.port)
        is_body(recorded, 30, CHANGED)
    assert played_again(answer.port, box.requests[0]) == UNAUTHORIZED
    # Nor is one that is not protected answered.
    assert played_again(answer.port, b"\x41\x02\0\1t\xb4echo\xffhi") == UNAUTHORIZED


def test_our_server_is_asked_through_loss(answer):
    answer([{"do": "post", "path": "echo", "size": 1}])
    with MiddleBox(answer.port, loss=20, duplication=10, jitter=0.02, seed=2) as box:
        records = answer([{"do": "post", "path": "echo", "size": size} for size in (10, 3000, 20)], box.port)
    for record, size in zip(records, (10, 3000, 20), strict=True):
        is_body(record, size, CHANGED)
    assert box.lost
