"""`msgin5g top` beside a running gateway."""

import asyncio
import json
import os
import pty

from tests.system.processes import MSGIN5G, PATIENCE, until

UE = "meter@example.org"


async def test_one_look_as_a_table_and_as_json(place):
    gateway, _ = await place.gateway_and_server()
    await place.board(UE, gateway)
    program = place.program("top", gateway.file, "--once")
    assert await program.run() == 0, program.errors()
    text = "".join(program.lines)
    assert UE in text and "1 registered, 1 enrolled" in text
    program = place.program("top", gateway.file, "--json", "--sort", "name")
    assert await program.run() == 0, program.errors()
    told = json.loads(program.lines[0])
    assert [one["ue"] for one in told["ues"]] == [UE]
    assert told["uplink"]["registered"] and told["counters"]["clients"] == 1
    program = place.program("top", gateway.file, "--json", "--filter", "nobody")
    assert await program.run() == 0 and json.loads(program.lines[0])["ues"] == []


async def test_every_order_can_be_asked_for(place):
    gateway, _ = await place.gateway_and_server()
    await place.board(UE, gateway)
    for sort in ("seen", "queue", "name"):
        program = place.program("top", gateway.file, "--json", "--sort", sort)
        assert await program.run() == 0, program.errors()
        assert [one["ue"] for one in json.loads(program.lines[0])["ues"]] == [UE]
    program = place.program("top", gateway.file, "--sort", "size")
    assert await program.run() == 2 and "expected one of seen, queue, took, name" in program.errors()


async def test_on_a_terminal_it_ends_with_q_and_leaves_the_terminal_as_it_was(place):
    gateway, _ = await place.gateway_and_server()
    master, slave = pty.openpty()
    shown = bytearray()
    loop = asyncio.get_running_loop()
    loop.add_reader(master, lambda: shown.extend(os.read(master, 65536)))
    process = await asyncio.create_subprocess_exec(
        MSGIN5G, "top", gateway.file, stdin=slave, stdout=slave, stderr=slave,
        env=os.environ | {"TERM": "xterm", "COLUMNS": "80", "LINES": "24"},
    )  # fmt: skip
    await until(lambda: b"q quit" in shown, lambda: bytes(shown))
    os.write(master, b"s")
    await until(lambda: b"sort (now queue)" in shown, lambda: bytes(shown))
    os.write(master, b"q")
    assert await asyncio.wait_for(process.wait(), PATIENCE) == 0
    # The other screen has been left.
    await until(lambda: b"\x1b[?1049l" in shown, lambda: bytes(shown))
    loop.remove_reader(master)
    os.close(master)
    os.close(slave)


async def test_who_has_no_key_is_told_so(place):
    gateway, _ = await place.gateway_and_server()
    gateway.database.with_name(gateway.database.name + ".operator").write_text("not-the-key-of-it\n")
    program = place.program("top", gateway.file, "--json")
    assert await program.run() == 2
    assert "401" in program.errors() and "not-the-key" not in program.errors()
