"""The command line's part about recording a gateway: ``msgin5g capture``."""

from __future__ import annotations

import json
import os
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import BinaryIO

    from host_tools.operator_client import OperatorClient
    from host_tools.pcapng import Tally
    from host_tools.settings import GatewaySettings

# UEs that the gateway tells at once.
_MOST = 500
_DECRYPTED = (
    "the file has what is inside OSCORE: payloads and names can be read by whoever reads it. Remove it when it has"
    " served"
)
# Wireshark finds a context with an ID Context only where the messages carry it, and these do not.
_OSCORE = (
    "what is inside OSCORE stays closed in the file; --decrypted opens it, here at the gateway. (Wireshark can't: its"
    " table of contexts takes an ID Context only with messages that carry it.)"
)
# What it takes for CoAP without being told has port 5683.
_PORTS = "Wireshark takes these for CoAP with: "
_DTLS = (
    "the link to the server is DTLS: --decrypted opens it, or Wireshark does with -o dtls.psk:<K_AF in hexadecimal"
    " digits> when the handshake is in the file"
)


def capture(
    settings: Annotated[Path, typer.Argument(help="TOML file of a gateway that runs on this machine.")],
    write: Annotated[Path | None, typer.Option("-w", "--write", help="File to write, in pcapng.")] = None,
    stdout: Annotated[
        bool, typer.Option("--stdout", help="Write to standard output: ... --stdout | wireshark -k -i -")
    ] = False,
    decrypted: Annotated[
        bool, typer.Option("--decrypted", help="CoAP as it is inside OSCORE: payloads are in the file.")
    ] = False,
    seconds: Annotated[
        float, typer.Option(min=0, help="End after so many seconds; 0 for when it is interrupted.")
    ] = 0,
    ue: Annotated[
        str | None,
        typer.Option(help="Only what goes between the gateway and this UE, while it is registered."),
    ] = None,
) -> None:
    """Record what goes over the links of a running gateway, for Wireshark. Reading it costs the gateway time."""
    from host_tools.cli import Failed, private, told
    from host_tools.operator_client import OperatorClient
    from host_tools.settings import GatewaySettings, load

    if (write is None) != stdout:
        raise Failed("name one place to write to: -w FILE or --stdout")
    private()
    parameters = {"seconds": str(seconds), "decrypted": str(int(decrypted))} | ({"ue": ue} if ue else {})
    with told(settings):
        found = load(settings, GatewaySettings)
        with closing(OperatorClient(found)) as client:
            if ue:
                _look_for(client, ue)
            pieces = client.stream("capture", parameters)
            # The first one tells that the gateway agrees: before that no file is touched.
            first = next(pieces, b"")
            _tell(_hints(found, decrypted))
            with _opened(write) as file:
                tally = _copy(first, pieces, file)
    result = {"file": str(write), "octets": tally.octets, "packets": tally.packets, "dropped": tally.dropped}
    if write:
        sys.stdout.write(json.dumps(result) + "\n")


def _look_for(client: OperatorClient, ue: str) -> None:
    # A misspelled name would make an empty file.
    from host_tools.cli import Failed

    rows = client.get("devices", sort="name", search=ue, most=_MOST)["devices"]
    links = {row["ue"]: row["link"] for row in rows}
    if ue not in links and len(rows) < _MOST:
        raise Failed(
            f"--ue {ue}: nobody of that name is enrolled or registered here; `msgin5g top` lists who is"
        )
    if not links.get(ue):
        _tell([f"{ue} is not registered now; it is recorded from when it is"])


def _hints(settings: GatewaySettings, decrypted: bool) -> list[str]:
    from msgin5g import wire

    from host_tools.settings import host_and_port

    protections = {settings.security, settings.server_security}
    hints = []
    if decrypted:
        hints.append(f"WARNING: {_DECRYPTED}")
    elif any("oscore" in one for one in protections):
        hints.append(_OSCORE)
    if "dtls" in protections and not decrypted:
        hints.append(_DTLS)
    ports = {settings.port, host_and_port(settings.server)[1]} - {wire.PORT}
    if ports:
        hints.append(_PORTS + " ".join(f"-d udp.port=={port},coap" for port in sorted(ports)))
    return hints


def _tell(lines: Iterable[str]) -> None:
    for line in lines:
        sys.stderr.write(f"msgin5g: {line}\n")
    sys.stderr.flush()


def _opened(path: Path | None) -> BinaryIO:
    # Readable by its owner only, even where there was a file that was not.
    if path is None:
        return os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    os.fchmod(descriptor, 0o600)
    return os.fdopen(descriptor, "wb")


def _copy(first: bytes, pieces: Iterable[bytes], file: BinaryIO) -> Tally:
    from host_tools.pcapng import Tally

    tally = Tally()
    shown = 0.0

    def take(piece: bytes) -> None:
        nonlocal shown
        # An interruption leaves no half of a block.
        file.write(tally.whole(piece))
        file.flush()
        if sys.stderr.isatty() and time.monotonic() - shown >= 1:
            shown = time.monotonic()
            sys.stderr.write(f"\r{tally.packets} packets, {tally.octets} octets, {tally.dropped} missing ")
            sys.stderr.flush()

    try:
        take(first)
        for piece in pieces:
            take(piece)
    except (KeyboardInterrupt, BrokenPipeError):
        pass
    if shown:
        sys.stderr.write("\n")
    return tally
