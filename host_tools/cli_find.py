"""The command line's part about gateways in reach: ``msgin5g find``."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from host_tools.discovery import Found

_NONE = (
    "no gateway answered in {seconds:g} s; one answers by mDNS when its settings say mdns = true, and to a request of"
    " TS 23.554, 8.2.8 when they name this network's interface under multicast"
)


def find(
    seconds: Annotated[float, typer.Option(min=0.1, max=600, help="How long to listen.")] = 3.0,
    interface: Annotated[
        str, typer.Option(help="Address of the network interface to listen on; any for all.")
    ] = "0.0.0.0",
    group: Annotated[
        str | None,
        typer.Option(help='Ask this group, broadcast or single address; "All CoAP Nodes" if not given.'),
    ] = None,
    port: Annotated[int, typer.Option(min=1, max=65535, help="CoAP port to ask at.")] = 5683,
    as_json: Annotated[bool, typer.Option("--json", help="One line of JSON for each.")] = False,
) -> None:
    """List the gateways in reach: those that announce themselves by mDNS, and those that answer when asked."""
    from host_tools import discovery
    from host_tools.cli import Failed, run, told

    if not discovery.has_mdns():
        sys.stderr.write(f"msgin5g: {discovery.MISSING}; without it only who answers is found\n")
    with told("find"):
        found: list[Found] | None = run(discovery.find(seconds, interface, group, port))
    if found is None:
        sys.exit(130)
    for one in found:
        line = (
            json.dumps({"ue_service_id": one.ue_service_id, "address": one.address, "found_by": one.how})
            if as_json
            else f"{one.address:24} {one.how:9} {one.ue_service_id}"
        )
        # Names come from whoever is in reach.
        sys.stdout.write("".join(one if one.isprintable() else "?" for one in line) + "\n")
    if not found:
        raise Failed(_NONE.format(seconds=seconds))
