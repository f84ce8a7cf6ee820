"""Boards on serial lines: MicroPython, a line that damages octets and is unplugged, and the gateway as a process."""

import asyncio
import contextlib
import functools
import os
import pathlib
import tty

from tests.system.processes import seed, until

MESSAGES = 20
# What is tested is the line; how much heap a board needs is tested elsewhere.
HEAP = "192K"
AS = "as@example.org"


class Line:
    """Two pseudo-terminals, a board's and the gateway's, and between them whatever happens on a line."""

    def __init__(self, directory, name, random, damage=0.0):
        self.gateway_end = directory / name
        self.damage = damage
        self.damaged = 0
        self._random = random
        self._board, self._board_slave = _terminal()
        self.board_end = os.ttyname(self._board_slave)
        self._gateway: int | None = None
        self._gateway_slave = -1
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._board, self._carry, self._board, True)
        self.plug()

    # What `place.board` takes for a gateway's.
    @property
    def address(self):
        return (self.board_end, 0)

    def plug(self):
        """The gateway's adapter is plugged in."""
        self._gateway, self._gateway_slave = _terminal()
        self.gateway_end.symlink_to(os.ttyname(self._gateway_slave))
        self._loop.add_reader(self._gateway, self._carry, self._gateway, False)

    def unplug(self):
        """The gateway's adapter is pulled."""
        assert self._gateway is not None
        self.gateway_end.unlink()
        self._loop.remove_reader(self._gateway)
        os.close(self._gateway)
        os.close(self._gateway_slave)
        self._gateway = None

    def cut(self):
        """The board's UART is gone for good: its device reports that the other end has hung up."""
        self._loop.remove_reader(self._board)
        os.close(self._board)
        os.close(self._board_slave)
        self._board = -1

    def close(self):
        if self._board >= 0:
            self.cut()
        if self._gateway is not None:
            self.unplug()

    def _carry(self, source, upwards):
        octets = os.read(source, 256)
        if self._random.random() < self.damage:
            self.damaged += 1
            octets = self._damaged(octets)
        target = self._gateway if upwards else self._board
        if target is not None:
            # A line that takes no more loses octets.
            with contextlib.suppress(BlockingIOError):
                os.write(target, octets)

    def _damaged(self, octets):
        random = self._random
        place = random.randrange(len(octets))
        what = random.randrange(4)
        if what == 0:
            return octets[:place] + octets[place + 1 :]
        if what == 1:
            return octets[:place] + bytes([octets[place] ^ 1 << random.randrange(8)]) + octets[place + 1 :]
        if what == 2:
            return octets[:place] + random.randbytes(random.randrange(1, 40)) + octets[place:]
        return octets[:place]


def _terminal():
    master, slave = os.openpty()
    tty.setraw(slave)
    os.set_blocking(master, False)
    return master, slave


async def setting(place, lines):
    server = await place.server()
    names = ", ".join(f'"{line.gateway_end}"' for line in lines)
    gateway = await place.gateway(server, more=f"serial = [{names}]")
    application_server = await place.application_server(server, AS)
    return server, gateway, application_server


async def traffic(boards, application_server, prefix):
    """Messages between boards and an Application Server, both ways; returns when each is there and reported."""
    up = [f"{prefix} up {number}" for number in range(MESSAGES)]
    down = [f"{prefix} down {number}" for number in range(MESSAGES)]

    async def from_board(board):
        for payload in up:
            message_id = await board.send(f"{payload} {board.ue_service_id}", **{"as": AS})
            await board.state(message_id, "delivered")

    async def to_board(board):
        for payload in down:
            message_id, _ = await application_server.send(payload, ue=board.ue_service_id)
            await until(functools.partial(application_server.report_on, message_id), f"a report on {payload}")

    await asyncio.gather(*map(from_board, boards), *map(to_board, boards))
    for board in boards:
        assert [payload for payload in board.received() if payload.startswith(prefix)] == down
        expected = [f"{payload} {board.ue_service_id}" for payload in up]
        assert [payload for payload in application_server.received() if payload in expected] == expected


async def at_least(application_server, count):
    await until(lambda: len(application_server.received()) >= count, f"{count} messages")


async def test_boards_on_lines_that_damage_octets_beside_one_on_udp(place, tmp_path):
    random = seed(20261122)
    lines = [Line(tmp_path, f"line-{number}", random, damage=0.05) for number in range(2)]
    server, gateway, application_server = await setting(place, lines)
    boards = [
        await place.board("wired-1@example.org", lines[0], heap=HEAP, by=gateway),
        await place.board("wired-2@example.org", lines[1], heap=HEAP, by=gateway),
        await place.board("on-air@example.org", gateway, heap=HEAP),
    ]
    await traffic(boards, application_server, "noisy")
    counts = gateway.metrics()
    assert counts["clients"] == 3 and counts["down_serial_open"] == 2
    assert all(line.damaged > 5 for line in lines)
    assert counts["down_serial_broken"] > 0
    print(
        f"damaged {[line.damaged for line in lines]}, noticed by the gateway {counts['down_serial_broken']:g}"
    )
    for line in lines:
        line.close()


async def test_a_port_unplugged_and_plugged_again_in_the_middle_of_traffic(place, tmp_path):
    line = Line(tmp_path, "line", seed(5))
    server, gateway, application_server = await setting(place, [line])
    board = await place.board("wired@example.org", line, heap=HEAP, by=gateway)
    work = asyncio.create_task(traffic([board], application_server, "pulled"))
    for arrived in (3, 9, 15):
        await at_least(application_server, arrived)
        line.unplug()
        await until(lambda: gateway.metrics()["down_serial_open"] == 0, "the gateway notices")
        line.plug()
        await until(lambda: gateway.metrics()["down_serial_open"] == 1, "the gateway opens it again")
    await work
    assert gateway.metrics()["down_serial_opened"] == 4
    assert "serial port lost" in gateway.errors()
    line.close()


async def test_a_port_that_comes_later_than_the_gateway(place, tmp_path):
    line = Line(tmp_path, "line", seed(6))
    line.unplug()
    server, gateway, application_server = await setting(place, [line])
    board = await place.board("wired@example.org", line, register=False, heap=HEAP, by=gateway)
    board.tell("register")
    await asyncio.sleep(0.5)
    assert gateway.metrics()["down_serial_open"] == 0
    line.plug()
    await board.wait(lambda event: event["event"] == "registered")
    await traffic([board], application_server, "late")
    line.close()


async def test_a_gateway_that_is_killed_finds_its_board_on_the_line_again(place, tmp_path):
    line = Line(tmp_path, "line", seed(7))
    server, gateway, application_server = await setting(place, [line])
    board = await place.board("wired@example.org", line, heap=HEAP, by=gateway)
    work = asyncio.create_task(traffic([board], application_server, "killed"))
    await at_least(application_server, 5)
    await gateway.kill()
    await gateway.start()
    await work
    line.close()


async def test_a_board_whose_line_has_hung_up_does_not_spin(place, tmp_path):
    line = Line(tmp_path, "line", seed(8))
    _, gateway, _ = await setting(place, [line])
    board = await place.board("wired@example.org", line, heap=HEAP, by=gateway)
    line.cut()
    await board.send("into the void", **{"as": AS})
    # Pauses grow to a second, so that after some time there is little to see.
    await asyncio.sleep(1.5)
    before = processor_seconds(board)
    await asyncio.sleep(2.0)
    assert processor_seconds(board) - before < 0.4
    # And it is there for its application.
    board.tell("memory")
    await board.wait(lambda event: event["event"] == "memory")
    line.close()


def processor_seconds(board):
    """What a board's process has used so far (proc(5): utime and stime)."""
    fields = pathlib.Path(f"/proc/{board._process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
