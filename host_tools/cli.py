"""The command line: ``msgin5g``, with a subcommand for each thing one does."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from host_tools import (
    cli_akma,
    cli_boards,
    cli_capture,
    cli_deploy,
    cli_devices,
    cli_doctor,
    cli_find,
    cli_limits,
    cli_monitor,
    cli_provision,
    cli_top,
    cli_update,
    logs,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator

    from host_tools.shell import UeAs

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="MSGin5G, the messaging service of 3GPP for the Internet of Things: gateway, server and tools.",
)


class Level(StrEnum):
    """How severe an event has to be for the log."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class Protection(StrEnum):
    """How the CoAP links are protected."""

    OSCORE = "oscore"
    NONE = "none"


Security = Annotated[
    Protection, typer.Option(help="Protection of the CoAP links; 'none' is for a lab, and it says so.")
]
LogLevel = Annotated[Level, typer.Option("--log", help="Least severe log level.")]

# As a shell tells it.
_INTERRUPTED = 130


class Failed(Exception):
    """What a user did can't work; the message says why and what would."""


for command in (cli_devices.enrol, cli_devices.revoke, cli_devices.devices, cli_limits.limit):
    app.command()(command)
for command in (cli_capture.capture, cli_find.find, cli_top.top):
    app.command()(command)
for command in (
    cli_boards.boards,
    cli_boards.flash,
    cli_deploy.deploy,
    cli_provision.provision,
    cli_monitor.monitor,
    cli_doctor.doctor,
    cli_update.update,
    cli_boards.pretend,
):
    app.command()(command)
app.add_typer(cli_akma.app, name="akma")


def main() -> None:
    """Entry point; a mistake of the user's is one line on standard error and exit status 2."""
    from host_tools.settings import SettingsError

    try:
        app()
        status = 0
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
        if isinstance(end.code, str):
            sys.stderr.write(f"msgin5g: {end.code}\n")
    except (Failed, SettingsError) as error:
        sys.stderr.write(f"msgin5g: {error}\n")
        status = 2
    sys.stdout.flush()
    sys.stderr.flush()
    # Everything is closed. Native threads of the HTTP server may still run, and taking the interpreter down under
    # them aborts the process now and then.
    os._exit(status)


def run(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """Run to the end, or until interrupted by SIGINT or SIGTERM."""
    try:
        return asyncio.run(_until_terminated(coroutine))
    except (KeyboardInterrupt, asyncio.CancelledError):
        return None


async def _until_terminated(coroutine: Coroutine[Any, Any, Any]) -> Any:
    # asyncio.run() cancels it on SIGINT; SIGTERM is to do the same.
    task = asyncio.current_task()
    assert task
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    return await coroutine


async def interrupted() -> None:
    """Wait for SIGINT or SIGTERM."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    await stop.wait()


def private() -> None:
    """Whatever this process writes has keys and messages in it: it is for its owner only."""
    os.umask(0o077)


def tell(**members: Any) -> None:
    """One line of JSON on standard output."""
    sys.stdout.write(json.dumps(members) + "\n")
    sys.stdout.flush()


@contextmanager
def told(where: object) -> Iterator[None]:
    """What goes wrong on starting something is told in one line, with where it is set up."""
    import sqlite3

    from host_tools.settings import SettingsError

    try:
        yield
    except (SettingsError, OSError, ValueError, sqlite3.Error) as error:
        reason = str(error).removeprefix(f"{where}: ")
        raise Failed(f"{where}: {reason}") from error


@app.command()
def gateway(
    settings: Annotated[Path, typer.Argument(help="TOML file; docs/settings.md lists its keys.")],
    log: LogLevel = Level.INFO,
) -> None:
    """Run a Gateway UE: between MSGin5G Clients and the MSGin5G Server."""
    from host_tools.gateway.process import GatewayProcess
    from host_tools.settings import GatewaySettings, load

    logs.configure(log)
    run(_serve(lambda: GatewayProcess(load(settings, GatewaySettings)), settings))


@app.command()
def server(
    settings: Annotated[Path, typer.Argument(help="TOML file; docs/settings.md lists its keys.")],
    log: LogLevel = Level.INFO,
) -> None:
    """Run an MSGin5G Server: for gateways and UEs over CoAP, for Application Servers over HTTP."""
    from host_tools.server.process import ServerProcess
    from host_tools.settings import ServerSettings, load

    logs.configure(log)
    run(_serve(lambda: ServerProcess(load(settings, ServerSettings)), settings))


async def _serve(make: Callable[[], Any], settings: Path) -> None:
    from host_tools import supervision

    private()
    with told(settings):
        process = make()
        await process.start()
    tell(**process.addresses())
    if sys.stderr.isatty():
        sys.stderr.write(supervision.greeting(process.addresses(), settings))
    async with supervision.supervised():
        await interrupted()
        await process.stop()


@app.command()
def up(
    directory: Annotated[
        Path | None,
        typer.Option("--dir", help="Where both keep what must survive; a new temporary one if not given."),
    ] = None,
    security: Security = Protection.OSCORE,
    server_port: Annotated[
        int, typer.Option(min=0, max=65535, help="Server's CoAP port; 0 for a free one.")
    ] = 0,
    rest_port: Annotated[
        int, typer.Option(min=0, max=65535, help="Server's HTTP port; 0 for a free one.")
    ] = 0,
    gateway_port: Annotated[
        int, typer.Option(min=0, max=65535, help="Gateway's CoAP port; 0 for a free one.")
    ] = 0,
    page_port: Annotated[
        int, typer.Option(min=0, max=65535, help="Gateway's HTTP port, for its page; 0 for a free one.")
    ] = 0,
    ack_timeout: Annotated[int, typer.Option(min=10, help="CoAP's ACK_TIMEOUT in ms, for both.")] = 2000,
    log: LogLevel = Level.INFO,
) -> None:
    """Run a server and a gateway on loopback, ready to try: one line of JSON tells where they are."""
    from host_tools.lab import Lab

    logs.configure(log)
    ports = server_port, rest_port, gateway_port, page_port
    run(_up(lambda: Lab(directory, *ports, ack_timeout, security.value)))


async def _up(make: Callable[[], Any]) -> None:
    private()
    with told("up"):
        lab = make()
        await lab.start()
    tell(**lab.addresses())
    await interrupted()
    await lab.stop()


Payload = Annotated[str, typer.Argument(help="What to send; '-' for standard input.")]
GatewayUrl = Annotated[
    str | None, typer.Option("--gateway", help="coap://host:port of the gateway, to act as a UE.")
]
ServerUrl = Annotated[
    str | None, typer.Option("--server", help="http(s)://host:port of the server, to act as an AS.")
]
TokenFile = Annotated[
    Path | None,
    typer.Option(
        help="File with the AS's bearer token; without it, MSGIN5G_TOKEN in the environment has it."
    ),
]
Identity = Annotated[
    str | None,
    typer.Option("--as", help="Service ID to act as: an AS's with --server, a UE's otherwise."),
]
DeviceFile = Annotated[
    Path | None, typer.Option("--device", help="File with a UE's key, from `msgin5g enrol`, to act as it.")
]
LabFolder = Annotated[
    Path | None,
    typer.Option("--lab", help="Folder of `msgin5g up`, to act as a UE that is enrolled there if need be."),
]


@app.command()
def send(
    payload: Payload,
    identity: Identity = None,
    device: DeviceFile = None,
    lab: LabFolder = None,
    gateway: GatewayUrl = None,
    security: Security = Protection.OSCORE,
    server: ServerUrl = None,
    token_file: TokenFile = None,
    to_ue: Annotated[str | None, typer.Option(help="UE Service ID of the recipient.")] = None,
    to_as: Annotated[str | None, typer.Option(help="AS Service ID of the recipient.")] = None,
    report: Annotated[bool, typer.Option(help="Ask for a delivery status report, and wait for it.")] = True,
    wait: Annotated[float, typer.Option(min=0, help="Seconds to wait for acceptance and report.")] = 30.0,
    log: LogLevel = Level.WARNING,
) -> None:
    """Send one message as a UE or as an AS; one line of JSON tells what became of it."""
    from host_tools import shell

    logs.configure(log)
    if payload == "-":
        payload = sys.stdin.read()
    ue_as = _ue_as(identity, device, lab, gateway, security, server)
    if (to_ue is None) == (to_as is None):
        raise Failed("name one recipient: --to-ue or --to-as")
    if ue_as:
        sending = shell.send_as_ue(ue_as, payload, to_ue, to_as, report, wait)
    elif to_ue is None:
        raise Failed("an Application Server sends to UEs: --to-ue")
    else:
        assert server
        assert identity
        sending = shell.send_as_as(identity, server, bearer_token(token_file), payload, to_ue, report, wait)
    with told("send"):
        outcome = run(sending)
    if outcome is None:
        sys.exit(_INTERRUPTED)
    tell(**outcome)
    sys.exit(0 if outcome["ok"] else 1)


@app.command()
def watch(
    identity: Identity = None,
    device: DeviceFile = None,
    lab: LabFolder = None,
    gateway: GatewayUrl = None,
    security: Security = Protection.OSCORE,
    server: ServerUrl = None,
    token_file: TokenFile = None,
    listen: Annotated[
        str, typer.Option(help="Where an AS listens for the server: host:port.")
    ] = "127.0.0.1:0",
    count: Annotated[int, typer.Option(min=0, help="End after so many messages; 0 for never.")] = 0,
    log: LogLevel = Level.WARNING,
) -> None:
    """Register as a UE or as an AS and print each message that arrives, one line of JSON each."""
    from host_tools import shell

    logs.configure(log)
    ue_as = _ue_as(identity, device, lab, gateway, security, server)
    if ue_as:
        watching = shell.watch_as_ue(ue_as, count, tell)
    else:
        assert server
        assert identity
        watching = shell.watch_as_as(identity, server, bearer_token(token_file), listen, count, tell)
    try:
        with told("watch"):
            run(watching)
    except shell.Refused as refused:
        raise Failed(str(refused)) from refused


def _ue_as(
    identity: str | None,
    device: Path | None,
    lab: Path | None,
    gateway: str | None,
    security: Protection,
    server: str | None,
) -> UeAs | None:
    # Whom to act as: a UE, or, when None, the AS that --as names at --server.
    private()
    if identity is not None and not 1 <= len(identity) <= 255:
        raise Failed(f"--as {identity!r}: a Service ID has 1 to 255 characters")
    as_ue = device or lab or gateway
    if (server is None) == (as_ue is None):
        raise Failed("name --device, --lab or --gateway to act as a UE, or --server to act as an AS")
    if server is not None:
        if identity is None:
            raise Failed("--as is missing: the AS Service ID to act as")
        if not server.startswith(("http://", "https://")):
            raise Failed(f"--server {server!r}: expected http://host:port or https://host:port")
        return None
    from host_tools.shell import UeAs

    if security == Protection.NONE:
        if device or lab or not gateway or not identity:
            raise Failed("--security none: there is no key; name --gateway and --as")
        return UeAs(gateway, None, identity)
    if lab and not device:
        from host_tools.lab import enrol

        if not identity:
            raise Failed("--as is missing: the UE Service ID to act as in that lab")
        with told("--lab"):
            device = enrol(lab, identity)
    if not device:
        raise Failed(
            f"{gateway} takes nobody without a key: name --device FILE, which `msgin5g enrol` writes, or --lab DIR for"
            " a lab of `msgin5g up`; a lab without protection takes --security none"
        )
    return UeAs(gateway, device, identity)


def bearer_token(path: Path | None) -> str:
    """The token of an Application Server: from a file, or from the environment."""
    # Not an option by itself: every process of the machine can read a command line.
    try:
        token = path.read_text(encoding="ascii").strip() if path else os.environ.get("MSGIN5G_TOKEN")
    except (OSError, UnicodeDecodeError) as error:
        raise Failed(f"--token-file {path}: {error}") from error
    if not token:
        raise Failed(
            "an Application Server needs its bearer token: --token-file, or MSGIN5G_TOKEN in the environment"
        )
    return token


@app.command()
def demo(
    devices: Annotated[int, typer.Option(min=2, max=20, help="Simulated boards.")] = 3,
    micropython: Annotated[
        Path | None, typer.Option(envvar="MICROPYTHON", help="MicroPython interpreter to run them on.")
    ] = None,
    heap: Annotated[
        str | None,
        typer.Option(
            help="Heap of each board, as -X heapsize= takes it; 160K on a 32-bit interpreter if not given."
        ),
    ] = None,
) -> None:
    """Show the main job: server, gateway, Application Server and simulated boards on this machine."""
    from host_tools.demo import Demo

    logs.configure("warning")
    with told("demo"):
        result = run(Demo(devices, micropython, heap).run())
    if result is None:
        sys.exit(_INTERRUPTED)
    tell(**result)
    sys.exit(0 if result["ok"] else 1)
