"""Boards that speak ESP-NOW behind a bridge: radios that are modelled, a pseudo-terminal, and the gateway as a process."""

import json
from pathlib import Path

import pytest

from host_tools.setup import mpy
from tests.system.processes import Script, seed, until
from tests.system.test_serial import Line

BOARDS = Path(__file__).with_name("espnow_boards.py")
EXAMPLES = mpy.SOURCE / "examples"
BRIDGE = "24:0a:c4:00:00:01"
# All boards are one process.
HEAP = "4M"
COUNT = 6


async def setting(place, library, longest, names):
    line = Line(place.directory, "bridge", seed(20261122))
    server = await place.server()
    gateway = await place.gateway(server, more=f'espnow_bridges = ["{line.gateway_end}"]')
    folders = []
    for number, name in enumerate(names):
        folder = place.directory / name
        folder.mkdir()
        file = folder / "device.json"
        gateway.enrol(name, file)
        device = json.loads(file.read_text())
        # The first one looks for its gateway, by broadcast; the others know the bridge.
        del device["gateway"]
        if number:
            device["gateway"] = BRIDGE
        file.write_text(json.dumps(device))
        folders.append(folder)
    application_server = await place.application_server(server)
    # The modelled radios are in the source alone.
    path = [library, EXAMPLES, mpy.SOURCE]
    boards = Script(BOARDS, line.board_end, longest, COUNT, *folders, path=path, heap=HEAP)
    place._others.append(boards)
    await boards.start()
    return line, gateway, application_server, boards


@pytest.mark.parametrize("longest", [250, 1470])
async def test_boards_register_send_and_receive_through_the_bridge(place, library, longest):
    names = ["one@example.org", "two@example.org"]
    line, gateway, application_server, boards = await setting(place, library, longest, names)
    await until(lambda: boards.said("done"), lambda: boards.lines)
    assert len(boards.said("delivered")) == COUNT * len(names)
    expected = [f"{number} {name} " + "x" * (60 * number) for name in names for number in range(COUNT)]
    assert sorted(application_server.received()) == sorted(expected)
    # Down as well, in blocks where a frame does not take it; each to the one that it is for.
    long = "y" * 700
    for name in names:
        message_id, _ = await application_server.send(long, name)
        await until(lambda told=message_id: application_server.report_on(told), lambda: boards.lines)
        assert boards.said(f"received {name} {long}")
    assert gateway.stored() == []
    counts = gateway.metrics()
    assert counts["clients"] == 2 and counts["selections"] == 1 and counts["down_serial_errors"] == 0
    assert f'"mac": "{BRIDGE}"' in gateway.errors()
    line.close()


async def test_a_bridge_that_is_pulled_loses_nothing(place, library):
    names = ["one@example.org", "two@example.org"]
    line, gateway, application_server, boards = await setting(place, library, 250, names)
    for number in range(2):
        await until(lambda least=number * 3 + 2: len(boards.said("delivered")) >= least, lambda: boards.lines)
        line.unplug()
        await until(lambda: gateway.metrics()["down_serial_open"] == 0, "the gateway notices")
        line.plug()
    await until(lambda: boards.said("done"), lambda: boards.lines)
    assert len(set(boards.said("delivered"))) == len(boards.said("delivered")) == COUNT * len(names)
    assert len(application_server.received()) == COUNT * len(names)
    line.close()
