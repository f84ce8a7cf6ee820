"""The gateway on a board: MicroPython with 2 MB of heap, its store on flash, between twenty boards and a real server."""

import asyncio
import json
import shutil
from pathlib import Path

import pytest

from host_tools.setup import packages
from tests.system.board_gateway import BoardGateway
from tests.system.processes import seed, until

AS = "as@example.org"
BOARDS = 20
# Of each board to the Application Server, to another board, and of the Application Server to each board.
EACH = 3
KILLS = 4


def installed(library, directory):
    """What of the firmware a gateway on a board installs."""
    for name in ("package-minimal.json", "package-gateway.json"):
        for module in packages.packages()[name]:
            path = Path(packages.path_of(module)).with_suffix(".mpy")
            # One of constants alone has nothing left.
            if (library / path).exists():
                (directory / path).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(library / path, directory / path)
    return directory


@pytest.fixture
async def make(place, library, tmp_path):
    """Makes a gateway on a board, at the server of this place."""

    async def make(**options):
        server = await place.server()
        gateway = BoardGateway(place.directory, server, installed(library, tmp_path / "lib"), **options)
        place._others.append(gateway)
        return gateway, server

    return make


async def all_empty(gateway, server):
    async with asyncio.timeout(60):
        while (await gateway.state())["messages"] or server.stored():  # noqa: ASYNC110 (other processes set no Event)
            await asyncio.sleep(0.1)


async def test_twenty_boards_behind_a_board_that_is_killed_lose_nothing_and_get_nothing_twice(place, make):
    random = seed(4001)
    gateway, server = await make()
    names = [f"board-{number}@example.org" for number in range(BOARDS)]
    for name in names:
        place._provisioned(name, gateway)
    await gateway.start()
    await gateway.registered()
    application_server = await place.application_server(server, AS)
    boards = await asyncio.gather(*(place.board(name, gateway) for name in names))
    state = await gateway.state()
    assert state["clients"] == BOARDS and state["heap_free"] > 0
    print({"heap_free": state["heap_free"]})

    expected = {name: [] for name in names}
    own: list = []
    tasks = []

    async def up(board, number, **to):
        message_id = await board.send(f"{board.ue_service_id} {number}", **to)
        event = await board.state(message_id, "delivered", "failed", "expired")
        assert event["state"] == "delivered", event

    async def down(name, number):
        text = f"to {name} {number}"
        expected[name].append(text)
        message_id, _ = await application_server.send(text, name)
        await until(lambda: application_server.report_on(message_id), f"report on {text}", 120)
        own.append(message_id)

    for number in range(EACH):
        for place_of, board in enumerate(boards):
            to = names[(place_of + 1 + number) % BOARDS]
            expected[to].append(f"{board.ue_service_id} {EACH + number}")
            tasks.append(asyncio.create_task(up(board, number, **{"as": AS})))
            tasks.append(asyncio.create_task(up(board, EACH + number, ue=to)))
            tasks.append(asyncio.create_task(down(board.ue_service_id, number)))
    for _ in range(KILLS):
        await asyncio.sleep(random.uniform(0.1, 0.8))
        await gateway.kill()
        await gateway.start()
    async with asyncio.timeout(120):
        await asyncio.gather(*tasks)
    await all_empty(gateway, server)
    assert sorted(application_server.received()) == sorted(
        f"{name} {number}" for name in names for number in range(EACH)
    )
    for board in boards:
        assert sorted(board.received()) == sorted(expected[board.ue_service_id])
    about = [report.message_id for report in application_server.reports]
    assert sorted(about) == sorted(own) and len(own) == BOARDS * EACH
    # Who was registered still is: nobody had to say again who it is.
    assert (await gateway.state())["clients"] == BOARDS
    secrets = [
        json.loads(file.read_text())["oscore"]["master_secret"]
        for file in place.directory.rglob("*device.json")
    ]
    assert len(secrets) == BOARDS + 1
    assert not [line for line in gateway.lines for secret in secrets if secret in line]
    print({key: value for key, value in (await gateway.state()).items() if value})


async def test_devices_are_enrolled_and_revoked_on_its_console(place, make):
    gateway, server = await make()
    await gateway.start()
    await gateway.registered()
    application_server = await place.application_server(server, AS)
    name = "late@example.org"
    given = (await gateway.ask(f"enrol {name} 127.0.0.1:{gateway.address[1]}"))["enrolled"]
    folder = place.directory / "boards" / gateway.service_id / name
    folder.mkdir(parents=True)
    (folder / "device.json").write_text(json.dumps(given))
    assert "enrolled already" in (await gateway.ask(f"enrol {name}"))["error"]
    assert "expected" in (await gateway.ask("make me a sandwich"))["error"]
    board = await place.board(name, gateway)
    sent = await board.send("hello", **{"as": AS})
    await board.state(sent, "delivered")
    assert application_server.received() == ["hello"]

    assert await gateway.ask(f"revoke {name}") == {"revoked": name}
    assert (await gateway.ask("devices"))["devices"] == [{"ue_service_id": name, "revoked": True}]
    assert (await gateway.state())["clients"] == 0
    await until(lambda: server.metrics()["ues"] == 1, "de-registered at the server")
    await board.send("again", **{"as": AS})
    await asyncio.sleep(4 * 0.15)
    await gateway.kill()
    # That outlives a power cut too.
    await gateway.start()
    assert (await gateway.ask("devices"))["devices"] == [{"ue_service_id": name, "revoked": True}]
    async with asyncio.timeout(30):
        while not (await gateway.state())["down_oscore_revoked"]:  # noqa: ASYNC110
            await asyncio.sleep(0.1)
    assert application_server.received() == ["hello"]
