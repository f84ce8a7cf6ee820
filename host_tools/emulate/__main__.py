"""A real RP2040 firmware image with the client, emulated, behind a gateway: ``python -m host_tools.emulate --help``."""

from __future__ import annotations

import asyncio
import json
import shutil
import sys
from contextlib import AsyncExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Protocol

import msgspec
import typer

from host_tools import lab, logs, shell
from host_tools.boards import board as boards
from host_tools.boards import provision
from host_tools.boards.board import BoardError
from host_tools.emulate import emulator, image
from host_tools.gateway.process import GatewayProcess
from host_tools.security.devices import Devices
from host_tools.server.process import ServerProcess
from host_tools.setup import mpy

if TYPE_CHECKING:
    from collections.abc import Callable

KIND = "RPI_PICO"
UE = "emulated@lab"
FOLDER = mpy.ROOT / "build" / "emulate"
# CoAP's, in ms: an emulated board is several times slower than a real one.
_ACK_TIMEOUT = 10_000


class Emulated(Protocol):
    """What is behind the gateway's serial port (emulator.Emulator)."""

    port: Path

    async def start(self) -> None:
        """Switch it on."""
        ...

    async def stop(self) -> None:
        """Switch it off."""
        ...

    async def ended(self) -> None:
        """Wait for an end that comes too early."""
        ...


def emulate(
    uf2: Annotated[str, typer.Option(help="UF2 file with MicroPython for RPI_PICO.")] = "",
    bootrom: Annotated[str, typer.Option(help="File with the boot ROM of an RP2040, 16 KiB.")] = "",
    seconds: Annotated[float, typer.Option(help="How long it may take.")] = 300,
) -> None:
    """Run MicroPython for the Pico, with the client on its flash, in an emulated RP2040; its UART0 is at a gateway.

    The exit status is 0 when a message of it, protected, has come to an Application Server.
    """
    logs.configure("warning")
    try:
        result = asyncio.run(_emulate(uf2, bootrom, seconds))
    except BoardError as error:
        raise SystemExit(f"emulate: {error}") from error
    except TimeoutError:
        raise SystemExit(
            f"emulate: no message within {seconds:g} s; what the board has said is above. --seconds gives it more time"
        ) from None
    sys.stdout.write(json.dumps(result) + "\n")


async def _emulate(uf2: str, bootrom: str, seconds: float) -> dict[str, Any]:
    kind = boards.load(KIND)
    if not (uf2 and bootrom):
        raise BoardError(
            f"name both files: make emulate UF2=FILE BOOTROM=FILE. The UF2 is from {kind.firmware.page}, the boot ROM"
            " is Raspberry Pi's pico-bootrom-rp2040"
        )
    # Wrong files are refused before all else.
    image.read_bootrom(Path(bootrom))
    image.flash_with(kind, Path(uf2), bytes(kind.flash.file_system))
    emulator.node()
    emulator.install(FOLDER)
    flash = FOLDER / "flash.bin"

    def make(file_system: bytes) -> Emulated:
        flash.write_bytes(image.flash_with(kind, Path(uf2), file_system))
        return emulator.Emulator(FOLDER, Path(bootrom), flash, _say)

    folder = FOLDER / "lab"
    shutil.rmtree(folder, ignore_errors=True)
    return await first_message(kind, folder, make, seconds)


async def first_message(
    kind: boards.Board, folder: Path, make: Callable[[bytes], Emulated], seconds: float
) -> dict[str, Any]:
    """Start a server, a gateway and an Application Server, and what `make` makes of a file system with the client.

    Returns:
        the first message that the Application Server has got.

    Raises:
        TimeoutError: none has come.
        BoardError: what was made has ended.
    """
    folder.mkdir(parents=True)  # noqa: ASYNC240 (nothing else runs yet)
    with (
        closing(Devices(folder / "gateway.sqlite", lab.GATEWAY)) as devices,
        devices.enrol(UE, "serial") as device,
    ):
        wish = provision.Wish(ue_service_id=UE, link="serial")
        settings = provision.settings_for(kind, wish)
        emulated = make(image.file_system(kind, folder / "files", settings, device))
    messages: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    async with AsyncExitStack() as started:
        server = ServerProcess(lab.server_settings(folder, ack_timeout=_ACK_TIMEOUT))
        await server.start()
        started.push_async_callback(server.stop)
        await emulated.start()
        started.push_async_callback(emulated.stop)
        ended = asyncio.create_task(emulated.ended())
        started.callback(ended.cancel)
        behind = lab.gateway_settings(folder, server.link.address, ack_timeout=_ACK_TIMEOUT)
        gateway = GatewayProcess(msgspec.structs.replace(behind, serial=[str(emulated.port)]))
        await gateway.start()
        started.push_async_callback(gateway.stop)
        token = lab.lab_token(folder / "as_token")
        listening = asyncio.create_task(
            shell.watch_as_as(
                image.AS, server.http.url, token, "127.0.0.1:0", 0, lambda **told: messages.put_nowait(told)
            )
        )
        started.callback(listening.cancel)
        async with asyncio.timeout(seconds):
            return await _message(messages, listening, ended)


async def _message(messages: asyncio.Queue[dict[str, Any]], *others: asyncio.Task[None]) -> dict[str, Any]:
    # The first that is one; any other task's end is a mistake.
    while True:
        getting = asyncio.create_task(messages.get())
        done, _ = await asyncio.wait({getting, *others}, return_when=asyncio.FIRST_COMPLETED)
        for other in done - {getting}:
            other.result()
        told = await getting
        if told["event"] == "message":
            return told


def _say(line: str) -> None:
    sys.stderr.write(f"board: {line}\n")


if __name__ == "__main__":
    typer.run(emulate)
