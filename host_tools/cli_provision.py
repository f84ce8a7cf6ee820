"""The command line's part about whose a board is: ``msgin5g provision``."""

from __future__ import annotations

import getpass
import json
import os
import sys
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from host_tools.cli_boards import AsJson, Port, told

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from host_tools.boards.batch import Row
    from host_tools.boards.board import Board
    from host_tools.boards.provision import Wish
    from host_tools.security.devices import Devices
    from host_tools.settings import GatewaySettings, ServerSettings

_FORMS = """msgin5g provision takes one of
  BOARD gateway.toml UE_SERVICE_ID           a board; with --qr, --png or --sheet its label instead
  --batch boards.csv gateway.toml            many boards; with --sheet their labels instead
  --text FILE BOARD                          a board, from the text of its label ('-': standard input)"""
# More than a label has.
_LONGEST_TEXT = 4096


@dataclass(frozen=True, kw_only=True)
class _Job:
    """What was asked for, beside what a board is to be."""

    wish: Wish
    password_file: Path | None
    rotate: bool
    replace: bool
    show: bool
    as_json: bool


def provision(
    what: Annotated[
        list[str],
        typer.Argument(
            metavar="[BOARD] [gateway.toml] [UE_SERVICE_ID]",
            help="Kind of board (`msgin5g boards`), TOML file of its gateway, UE Service ID that it gets. Without BOARD"
            " and UE_SERVICE_ID with --batch; BOARD alone with --text.",
        ),
    ],
    port: Port = None,
    address: Annotated[
        str | None,
        typer.Option(
            help="host:port at which the board reaches the gateway, or the MAC address of a bridge for ESP-NOW. Without"
            " it the one that is on the board, or that the gateway listens on; else the board looks for it."
        ),
    ] = None,
    wifi: Annotated[
        list[str] | None,
        typer.Option(help="Name of a Wi-Fi network; several are tried in turn. Its password is asked for."),
    ] = None,
    wifi_password_file: Annotated[
        Path | None,
        typer.Option(
            help="File with the password; for several networks JSON, from names to passwords. Or"
            " MSGIN5G_WIFI_PASSWORD in the environment has the same."
        ),
    ] = None,
    link: Annotated[str | None, typer.Option(help="wifi, serial or espnow, if the board has it.")] = None,
    ntp: Annotated[str | None, typer.Option(help="Time server, by which the board sets its clock.")] = None,
    channel: Annotated[int | None, typer.Option(help="Channel of ESP-NOW.")] = None,
    rotate: Annotated[
        bool, typer.Option("--rotate", help="A new key; the old one ends when the board has it.")
    ] = False,
    replace_: Annotated[
        bool, typer.Option("--replace", help="A board that is another device by now; a file that is there.")
    ] = False,
    batch: Annotated[
        Path | None, typer.Option(help="CSV file with many boards; docs/provision.md has its columns.")
    ] = None,
    report: Annotated[
        Path | None, typer.Option(help="What became of a batch; beside its CSV file if not given.")
    ] = None,
    qr: Annotated[
        bool, typer.Option("--qr", help="No board: its label as a QR code, in the terminal.")
    ] = False,
    png: Annotated[Path | None, typer.Option(help="No board: its label as a QR code, as PNG.")] = None,
    sheet: Annotated[Path | None, typer.Option(help="No board: labels to be printed, as HTML.")] = None,
    text: Annotated[
        str | None, typer.Option(help="File with the text of a label, '-' for standard input, for a board.")
    ] = None,
    show: Annotated[
        bool, typer.Option("--show", help="Print device.json, or the label's text; the key is in it.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Make a board a gateway's device: name, key, gateway and Wi-Fi onto the board, the key to the gateway.

    The gateway may run meanwhile. Repeated, it finishes what was interrupted. `msgin5g revoke` keeps a device out.
    """
    from typing import cast

    from host_tools.boards.board import BoardError, Link
    from host_tools.boards.provision import Wish
    from host_tools.cli import private

    private()
    wish = Wish(
        ue_service_id="",
        address=address,
        # (What it may be is checked with the board.)
        link=cast("Link | None", link),
        networks=tuple((name, "") for name in wifi or ()),
        ntp=ntp,
        channel=channel,
    )
    job = _Job(
        wish=wish,
        password_file=wifi_password_file,
        rotate=rotate,
        replace=replace_,
        show=show,
        as_json=as_json,
    )
    labels = qr or png is not None or sheet is not None
    with told():
        if text is not None and len(what) == 1 and not batch and not labels:
            _from_text(job, what[0], port, text)
        elif batch and len(what) == 1 and text is None and not qr and not png:
            if sheet:
                _sheet(job, batch, Path(what[0]), sheet)
            else:
                _batch(job, batch, Path(what[0]), report or _beside(batch, rotate=rotate))
        elif len(what) == 3 and not batch and text is None:
            job = replace(job, wish=replace(wish, ue_service_id=what[2]))
            if labels:
                _label(job, what[0], Path(what[1]), qr=qr, files=(png, sheet))
            else:
                _board(job, what[0], Path(what[1]), port)
        else:
            raise BoardError(_FORMS)


def _board(job: _Job, name: str, settings: Path, port: str | None) -> None:
    from host_tools.boards import board, ports, provision
    from host_tools.boards.serial_board import SerialBoard

    kind = board.load(name)
    _check(kind, job.wish)
    with _registry(settings) as (found, devices):
        device_port = ports.the_one(port)
        wish = replace(job.wish, networks=_networks(job, [job.wish])[0])
        _check(kind, wish)
        with SerialBoard(device_port) as at:
            outcome, device = provision.provision(
                at, kind, devices, wish, listening=_listening(found), rotate=job.rotate, replace=job.replace
            )
    done = {"outcome": outcome, "board": name, "port": device_port, "at": found.service_id}
    _tell_device(job, done, device)
    if not job.as_json:
        sys.stdout.write("Next: msgin5g monitor\n")


def _from_text(job: _Job, name: str, port: str | None, source: str) -> None:
    from host_tools.boards import board, ports, provision, provisioning_text
    from host_tools.boards.board import BoardError
    from host_tools.boards.serial_board import SerialBoard

    kind = board.load(name)
    try:
        if source != "-":
            with Path(source).open(encoding="ascii") as file:
                text = file.read(_LONGEST_TEXT)
        elif sys.stdin.isatty():
            text = getpass.getpass("Text of the label: ", sys.stderr)
        else:
            text = sys.stdin.read(_LONGEST_TEXT)
    except (OSError, UnicodeDecodeError) as error:
        raise BoardError(f"--text {source}: {error}") from error
    device, settings = provisioning_text.read(text)
    device_port = ports.the_one(port)
    with SerialBoard(device_port) as at:
        outcome = provision.provision_from_label(at, kind, device, settings, replace=job.replace)
    done = {"outcome": outcome, "board": name, "port": device_port, "at": device["gateway_ue_service_id"]}
    _tell_device(job, done, device)


def _label(job: _Job, name: str, settings: Path, *, qr: bool, files: tuple[Path | None, Path | None]) -> None:
    from host_tools.boards import board, labels

    kind = board.load(name)
    _check(kind, job.wish, whole=True)
    with _registry(settings) as (found, devices):
        wish = replace(job.wish, networks=_networks(job, [job.wish])[0])
        _check(kind, wish, whole=True)

        def save(texts: list[str]) -> None:
            png, sheet = files
            if png:
                labels.save(png, labels.png(texts[0]), replace=job.replace)
            if sheet:
                made = labels.sheet(wish.ue_service_id, [(wish.ue_service_id, name, texts[0])])
                labels.save(sheet, made, replace=job.replace)

        written = [file for file in files if file]
        [text] = _labels(job, found, devices, [(kind, wish)], save, written)
    done = {"outcome": "label made", "ue_service_id": wish.ue_service_id, "at": found.service_id}
    done |= {"files": list(map(str, written)), "characters": len(text)}
    if qr and not job.as_json:
        sys.stdout.write(labels.for_terminal(text))
    if job.show:
        done["text"] = text
    _tell(job, done, f"{wish.ue_service_id} is let in at {found.service_id} by this label, which has its key")


def _sheet(job: _Job, path: Path, settings: Path, sheet: Path) -> None:
    from host_tools.boards import batch, labels

    with _registry(settings) as (found, devices):
        rows = _with_passwords(job, batch.read(path, job.wish, found.service_id, whole=True), whole=True)

        def save(texts: list[str]) -> None:
            made = [
                (row.wish.ue_service_id, row.kind.name, text) for row, text in zip(rows, texts, strict=True)
            ]
            labels.save(sheet, labels.sheet(path.stem, made), replace=job.replace)

        _labels(job, found, devices, [(row.kind, row.wish) for row in rows], save, [sheet])
    done = {"outcome": "labels made", "labels": len(rows), "files": [str(sheet)], "at": found.service_id}
    _tell(job, done, f"{len(rows)} devices are let in at {found.service_id} by the labels in {sheet}")


def _labels(
    job: _Job,
    found: GatewaySettings | ServerSettings,
    devices: Devices,
    wishes: list[tuple[Board, Wish]],
    save: Callable[[list[str]], None],
    files: list[Path],
) -> list[str]:
    # The texts; they are saved before the gateway takes the keys in them.
    from host_tools.boards import provision, provisioning_text

    settings = [provision.settings_for(kind, wish) for kind, wish in wishes]
    addresses = {
        wish.ue_service_id: provision.address_for(one["link"], wish, _listening(found))
        for (_, wish), one in zip(wishes, settings, strict=True)
    }
    offered = provision.offer(devices, addresses, rotate=job.rotate)
    texts = [provisioning_text.make(device, one) for device, one in zip(offered, settings, strict=True)]
    save(texts)
    try:
        devices.accept(offered, rotate=job.rotate)
    except BaseException:
        for file in files:
            file.unlink(missing_ok=True)
        raise
    return texts


def _batch(job: _Job, path: Path, settings: Path, report_path: Path) -> None:
    import time

    from host_tools.boards import batch, ports, provision
    from host_tools.boards.batch_screen import Screen
    from host_tools.boards.serial_board import SerialBoard

    with _registry(settings) as (found, devices):
        rows = batch.read(path, job.wish, found.service_id)
        report = batch.Report(report_path)
        left = [row for row in rows if not report.is_done(row)]
        named = {row.line: row.wish for row in _with_passwords(job, left)}

        def one(row: Row, port: str) -> str:
            with SerialBoard(port) as at:
                outcome, _ = provision.provision(
                    at,
                    row.kind,
                    devices,
                    named[row.line],
                    listening=_listening(found),
                    rotate=job.rotate,
                    replace=job.replace,
                )
            return outcome

        arrivals = batch.Arrivals(
            lambda: {port.device for port in ports.candidates()}, lambda: time.sleep(0.3)
        )
        with Screen(len(rows), len(rows) - len(left), as_json=job.as_json) as screen:
            failed = batch.carry_out(rows, report, one, arrivals, screen)
    summary = {"boards": len(rows), "done": len(rows) - failed, "failed": failed, "report": str(report_path)}
    again = "; repeat the command for those that have failed" if failed else ""
    _tell(job, summary, f"{len(rows) - failed} of {len(rows)} boards are done, as {report_path} says{again}")
    if failed:
        raise typer.Exit(1)


def _beside(path: Path, *, rotate: bool) -> Path:
    return path.with_name(f"{path.stem}.{'rotate' if rotate else 'report'}.jsonl")


@contextmanager
def _registry(path: Path) -> Iterator[tuple[GatewaySettings | ServerSettings, Devices]]:
    from contextlib import closing

    from host_tools.boards.board import BoardError
    from host_tools.cli import told as told_of
    from host_tools.cli_devices import devices_of
    from host_tools.settings import NONE, load_either

    with told_of(path):
        found = load_either(path)
        if found.security == NONE:
            raise BoardError(
                f'{path}: security = "none": there it takes nobody with a key, and boards have one'
            )
        with closing(devices_of(found)) as devices:
            yield found, devices


def _listening(found: GatewaySettings | ServerSettings) -> str | None:
    from host_tools.cli_devices import listening_address

    return listening_address(found)


def _check(kind: Board, wish: Wish, *, whole: bool = False) -> None:
    from host_tools.boards import provision
    from host_tools.boards.board import BoardError

    for complaint in provision.complaints(kind, wish, whole=whole):
        raise BoardError(complaint)


def _with_passwords(job: _Job, rows: list[Row], *, whole: bool = False) -> list[Row]:
    networks = _networks(job, [row.wish for row in rows])
    made = [
        row._replace(wish=replace(row.wish, networks=some)) for row, some in zip(rows, networks, strict=True)
    ]
    for row in made:
        _check(row.kind, row.wish, whole=whole)
    return made


def _networks(job: _Job, wishes: list[Wish]) -> list[tuple[tuple[str, str], ...]]:
    # The networks of each with their passwords.
    from host_tools.boards import networks

    names = [name for wish in wishes for name, _ in wish.networks]
    found = networks.passwords(
        names,
        job.password_file,
        os.environ.get(networks.VARIABLE),
        (lambda name: getpass.getpass(f"Password of the network {name}: ", sys.stderr))
        if sys.stdin.isatty()
        else None,
    )
    return [tuple((name, found[name]) for name, _ in wish.networks) for wish in wishes]


def _tell_device(job: _Job, done: dict[str, Any], device: dict[str, Any]) -> None:
    done = {"ue_service_id": device["ue_service_id"], "gateway": device.get("gateway"), **done}
    if job.show:
        done["device"] = device
    where = device.get("gateway") or "which it looks for"
    _tell(
        job,
        done,
        f"{done['port']}: {done['outcome']}: {device['ue_service_id']}, a {done['board']}, of {done['at']} ({where})",
    )


def _tell(job: _Job, done: dict[str, Any], text: str) -> None:
    if job.as_json:
        sys.stdout.write(json.dumps(done) + "\n")
        return
    sys.stdout.write(text + "\n")
    for name in ("device", "text"):
        if name in done:
            shown = done[name]
            sys.stdout.write((shown if isinstance(shown, str) else json.dumps(shown, indent=2)) + "\n")
