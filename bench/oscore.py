"""Time and garbage of sealing and opening one message by OSCORE, on each interpreter, beside aiocoap on CPython."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import aiocoap
from aiocoap import oscore

from bench import interpreters
from host_tools.setup import micropython

if TYPE_CHECKING:
    from collections.abc import Callable

TITLE = "OSCORE"
NOTES = """\
One CoAP POST with 100 octets of JSON (token of four octets, Uri-Path, Content-Format), sealed into a datagram, and such
a datagram opened and decoded: microseconds for each, the best of five runs. No sequence number is written to a disk or
flash here. Garbage is what the heap has grown by for each message with the collector off (MicroPython only). `times
aiocoap` is aiocoap's time on CPython divided by ours on CPython, in the same run; aiocoap makes its Message objects,
which is how it is used. On MicroPython AES is that of its `cryptolib`, block by block, on CPython that of
`cryptography` for both."""

_SCRIPT = Path(__file__).parent / "on_board" / "oscore.py"
_BODY = (
    b'{"temperature": 23.5, "humidity": 41, "battery": 3.71, "counter": 12345, "location": "greenhouse-7"}'
)


def measure(quick: bool, tell: Callable[[str], None]) -> list[dict]:
    times = 200 if quick else 10_000
    library = interpreters.compiled()
    tell("aiocoap")
    peer = _aiocoap(times)
    tell("cpython")
    ours = {"CPython": _run([sys.executable], interpreters.FIRMWARE, times)}
    for name, path in micropython.interpreters():
        tell(name)
        ours[f"{name}, .mpy"] = _run([str(path), "-X", "heapsize=1M"], library, times)
    rows = []
    for what in ("seal", "open"):
        rows.append({"what": what, "runtime": "CPython, aiocoap", "µs": round(peer[what], 2)})
        for runtime, measured in ours.items():
            took, garbage = measured[what]
            row = {"what": what, "runtime": runtime, "µs": round(took, 2), "garbage, octets": garbage}
            if runtime == "CPython":
                row["times aiocoap"] = round(peer[what] / took, 1)
            rows.append(row)
    plain, sealed = ours["CPython"]["octets"]
    rows.append({"what": "octets of the datagram, plain", "octets": plain})
    rows.append({"what": "octets of the datagram, sealed", "octets": sealed})
    return rows


def _run(command: list[str], library: Path, times: int) -> dict[str, list]:
    return json.loads(interpreters.run(command, library, str(_SCRIPT), str(times)))


class _Context(oscore.CanProtect, oscore.CanUnprotect, oscore.SecurityContextUtils):  # type: ignore[misc]
    """A context that keeps nothing in files."""

    def __init__(self, sender_id: bytes, recipient_id: bytes) -> None:
        self.alg_aead = oscore.algorithms[oscore.DEFAULT_ALGORITHM]
        self.hashfun = oscore.hashfunctions[oscore.DEFAULT_HASHFUNCTION]
        self.sender_id, self.recipient_id = sender_id, recipient_id
        self.id_context = None
        self.sender_sequence_number = 0
        self.echo_recovery = None
        self.recipient_replay_window = oscore.ReplayWindow(32, lambda: None)
        self.recipient_replay_window.initialize_empty()
        self.derive_keys(bytes.fromhex("9e7ca92223786340"), bytes(range(1, 17)))

    def post_seqnoincrease(self) -> None:
        """Nothing is kept."""


def _aiocoap(times: int) -> dict[str, float]:
    client, server = _Context(b"\1", b"\2"), _Context(b"\2", b"\1")

    def seal() -> bytes:
        message = aiocoap.Message(code=aiocoap.POST, payload=_BODY)
        message.opt.uri_path = ("msgin5g",)
        message.opt.content_format = 50
        sealed, _ = client.protect(message)
        sealed.mtype, sealed.mid, sealed.token = aiocoap.CON, 0x1234, b"\1\2\3\4"
        return sealed.encode()

    datagram = seal()

    def unseal() -> aiocoap.Message:
        server.recipient_replay_window.initialize_empty()
        message, _ = server.unprotect(aiocoap.Message.decode(datagram))
        return message

    assert unseal().payload == _BODY
    return {"seal": _best(seal, times), "open": _best(unseal, times)}


def _best(function: Callable[[], object], times: int) -> float:
    runs = []
    for _ in range(5):
        since = time.perf_counter_ns()
        for _ in range(times):
            function()
        runs.append(time.perf_counter_ns() - since)
    return min(runs) / 1000 / times
