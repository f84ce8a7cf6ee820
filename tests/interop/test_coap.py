"""Our CoAP on each runtime against aiocoap and libcoap, in real processes on loopback, both ways."""

import json
import socket
import threading
from binascii import crc32

import pytest

from tests.interop.middlebox import MiddleBox

CHANGED, CONTENT, CREATED = 0x44, 0x45, 0x41
BIG = 20000


def body(size):
    return bytes([(at * 7 + (at >> 8)) & 0xFF for at in range(size)])


# -- our client


@pytest.fixture(params=["aiocoap", "libcoap"])
def server(request):
    """(name, a server in a process of its own)"""
    return request.param, request.getfixturevalue(f"{request.param}_server")


def is_body(record, size, *codes):
    assert record["code"] in codes and record["size"] == size
    assert record["seal"] == crc32(body(size))


def test_requests(ask, server):
    name, process = server
    for con in (True, False):
        put, get, missing, end = ask(
            process.port,
            [
                {"do": "put", "path": "store", "size": 50, "con": con},
                {"do": "get", "path": "store", "con": con},
                {"do": "get", "path": "missing", "con": con},
            ],
        )
        assert put["code"] in (CHANGED, CREATED)
        is_body(get, 50, CONTENT)
        assert missing["code"] == 0x84
        assert end["counters"]["retransmitted"] == end["counters"]["format_errors"] == 0
        assert end["occupancy"]["exchanges"] == 0


@pytest.mark.parametrize("szx", [6, 2])
def test_20_kb_both_ways(ask, server, szx):
    name, process = server
    put, get, end = ask(
        process.port, [{"do": "put", "path": "store", "size": BIG}, {"do": "get", "path": "store"}], szx=szx
    )
    assert put["code"] in (CHANGED, CREATED)
    is_body(get, BIG, CONTENT)
    assert end["counters"]["retransmitted"] == 0


def test_20_kb_both_ways_in_one_request(ask, aiocoap_server):
    echo, _ = ask(aiocoap_server.port, [{"do": "post", "path": "echo", "size": BIG}])
    is_body(echo, BIG, CHANGED)


def test_separate_response(ask, server):
    name, process = server
    slow, end = ask(process.port, [{"do": "get", "path": "slow" if name == "aiocoap" else "async?1"}])
    assert slow["code"] == CONTENT and slow["size"] > 0
    # The request, its acknowledgement, the response and ours.
    assert end["counters"]["sent"] == 2 and end["counters"]["received"] == 2


def test_observe(ask, server):
    name, process = server
    # libcoap's state changes every second.
    path, count, quiet = ("count", 5, 400) if name == "aiocoap" else ("time", 2, 1200)
    observed, end = ask(process.port, [{"do": "observe", "path": path, "count": count, "quiet": quiet}])
    assert len(observed["seen"]) == count and len(set(observed["seen"])) == count
    # A notification may cross the cancellation.
    assert observed["after_cancel"] == 0
    assert end["counters"]["received"] <= count + 2 and end["occupancy"]["exchanges"] == 0
    if name == "aiocoap":
        observers, _ = ask(process.port, [{"do": "get", "path": "observers"}])
        assert "'0'" in observers["head"]


def test_through_loss_duplication_and_reordering(ask, server):
    name, process = server
    with MiddleBox(process.port, loss=20, duplication=10, jitter=0.02, seed=3) as box:
        steps = [{"do": "put", "path": "store", "size": 8000}, {"do": "get", "path": "store"}]
        put, get, end = ask(box.port, steps, ack_timeout=50)
    assert put["code"] in (CHANGED, CREATED)
    is_body(get, 8000, CONTENT)
    assert box.lost and end["counters"]["retransmitted"]


# -- our server


def test_aiocoap_asks(our_server, aiocoap_ask):
    records = aiocoap_ask(
        our_server.port,
        [
            {"do": "post", "path": "echo", "size": 50},
            {"do": "post", "path": "echo", "size": 50, "con": False},
            {"do": "post", "path": "echo", "size": BIG},
            {"do": "put", "path": "store", "size": BIG},
            {"do": "get", "path": "store"},
            {"do": "get", "path": "slow"},
            {"do": "get", "path": "missing"},
            {"do": "put", "path": "count", "size": 1},
        ],
    )
    for record, size in zip(records, (50, 50, BIG), strict=False):
        is_body(record, size, CHANGED)
    assert [record["code"] for record in records[3:]] == [CHANGED, CONTENT, CONTENT, 0x84, 0x85]
    is_body(records[4], BIG, CONTENT)
    assert "slow" in records[5]["head"]


def test_aiocoap_observes(our_server, aiocoap_ask):
    # aiocoap cancels by asking for no more, and rejects the next notification with RST.
    [observed] = aiocoap_ask(our_server.port, [{"do": "observe", "path": "count", "count": 4}])
    numbers = [int(seen) for seen in observed["seen"]]
    assert numbers == sorted(set(numbers)) and len(numbers) == 4


def test_aiocoap_asks_through_loss(our_server, aiocoap_ask):
    with MiddleBox(our_server.port, loss=20, duplication=10, jitter=0.02, seed=2) as box:
        records = aiocoap_ask(
            box.port, [{"do": "post", "path": "echo", "size": size} for size in (10, 3000, 20)]
        )
    for record, size in zip(records, (10, 3000, 20), strict=True):
        is_body(record, size, CHANGED)
    assert box.lost


def test_libcoap_asks(our_server, libcoap_ask):
    port = our_server.port
    assert libcoap_ask(port, "echo", "-m", "post", payload=b"hi") == b"hi"
    assert libcoap_ask(port, "echo", "-N", "-m", "post", payload=b"hi") == b"hi"
    assert libcoap_ask(port, "slow") == b"slow"
    assert libcoap_ask(port, "missing") in (b"", b"4.04")


@pytest.mark.parametrize("block", [1024, 64])
def test_libcoap_sends_and_fetches_20_kb(our_server, libcoap_ask, block):
    port = our_server.port
    libcoap_ask(port, "store", "-m", "put", "-b", block, payload=body(BIG))
    assert libcoap_ask(port, "store", "-b", block) == body(BIG)
    assert libcoap_ask(port, "echo", "-m", "post", "-b", block, payload=body(BIG)) == body(BIG)


def observers(counters):
    return json.loads(counters)["observers"]


def add_one(port, mid):
    """A non-confirmable POST to count, by hand."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.sendto(b"\x51\x02" + mid.to_bytes(2, "big") + b"t\xb5count", ("127.0.0.1", port))


def test_libcoap_observes(our_server, libcoap_ask):
    port = our_server.port
    before = observers(libcoap_ask(port, "counters"))
    timers = [threading.Timer(0.2 * number, add_one, (port, 1000 + number)) for number in (1, 2, 3, 4)]
    for timer in timers:
        timer.start()
    seen = libcoap_ask(port, "count", "-s", "1", "-w", seconds=2)
    for timer in timers:
        timer.join()
    numbers = [int(line) for line in seen.split()]
    assert len(numbers) >= 5 and numbers == sorted(set(numbers))
    # libcoap has told that it observes no more.
    assert observers(libcoap_ask(port, "counters")) <= before


def test_libcoap_asks_through_loss(our_server, libcoap_ask):
    # Its ACK_TIMEOUT is two seconds: one loss is enough.
    with MiddleBox(our_server.port, loss=20, duplication=10, jitter=0.02, seed=5) as box:
        assert libcoap_ask(box.port, "echo", "-m", "post", "-b", 256, payload=body(500)) == body(500)
    assert box.lost
