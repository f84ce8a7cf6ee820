"""`msgin5g find`, with a gateway process that lets itself be found."""

import json

from host_tools.discovery import MDNS, SELECTION
from tests.operate.test_discovery import LOOPBACK, skip_without_mdns


async def test_find_lists_a_running_gateway_by_both_ways(place):
    skip_without_mdns()
    server = await place.server()
    gateway = await place.gateway(server, more="mdns = true")
    found = {}
    for seconds in (3, 6, 12):
        program = place.program(
            "find", "--seconds", seconds, "--json", "--interface", LOOPBACK, "--group", LOOPBACK,
            "--port", gateway.port,
        )  # fmt: skip
        assert await program.run() == 0, program.errors()
        found = {
            (one["found_by"], one["address"]): one["ue_service_id"] for one in map(json.loads, program.lines)
        }
        if (MDNS, _at(gateway)) in found:
            break
    assert found[MDNS, _at(gateway)] == found[SELECTION, _at(gateway)] == gateway.service_id


def _at(gateway):
    return f"127.0.0.1:{gateway.port}"


async def test_find_says_so_when_there_is_none(place):
    program = place.program(
        "find", "--seconds", 0.2, "--interface", LOOPBACK, "--group", LOOPBACK, "--port", 9
    )
    assert await program.run() == 2
    assert "mdns = true" in program.errors()
