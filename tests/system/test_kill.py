"""The gateway and the server are killed again and again while a thousand messages are on their way."""

import asyncio
from collections import Counter

import pytest

from tests.system.processes import seed, until

MESSAGES = 1000
KILLS_OF_EACH = 8
AS = "as@example.org"
BOARDS = ("board-1@example.org", "board-2@example.org", "board-3@example.org")
# Messages of one board that wait for their report: a board remembers a bounded number of them.
MOST_OPEN = 12


class Traffic:
    """Messages in all three directions, each with a report; who got what, and how often."""

    def __init__(self, boards, application_server, random):
        self.boards = boards
        self.application_server = application_server
        self.expected = {name: [] for name in (*BOARDS, AS)}
        self.sent = Counter()
        self._random = random
        self._number = 0
        self._tasks = []
        self._open = {board: asyncio.Semaphore(MOST_OPEN) for board in boards}
        self._open[None] = asyncio.Semaphore(MOST_OPEN)

    def start(self, count):
        """Hand some more messages to their senders."""
        for _ in range(count):
            self._number += 1
            payload = f"message {self._number}"
            self._tasks.append(asyncio.create_task(self._send(payload), name=payload))

    def stop(self):
        for task in self._tasks:
            task.cancel()

    async def finished(self):
        """Wait until every sender has its report, as long as one more of them gets it."""
        while left := len(self._open_tasks()):
            await until(lambda: len(self._open_tasks()) < left, lambda: f"reports on {self._open_tasks()}")
        for task in self._tasks:
            task.result()

    def _open_tasks(self):
        return [task.get_name() for task in self._tasks if not task.done()]

    async def _send(self, payload):
        direction = self._random.choice(("UE->AS", "AS->UE", "UE->UE"))
        sender, recipient = self._random.sample(self.boards, 2)
        self.sent[direction] += 1
        if direction == "AS->UE":
            async with self._open[None]:
                self.expected[recipient.ue_service_id].append(payload)
                message_id, _ = await self.application_server.send(payload, recipient.ue_service_id)
                while not self.application_server.report_on(message_id):  # noqa: ASYNC110 (see finished())
                    await asyncio.sleep(0.02)
            return
        async with self._open[sender]:
            if direction == "UE->AS":
                self.expected[AS].append(payload)
                message_id = await sender.send(payload, **{"as": AS})
            else:
                self.expected[recipient.ue_service_id].append(payload)
                message_id = await sender.send(payload, ue=recipient.ue_service_id)
            event = await sender.state(message_id, "delivered", "failed", "expired", patience=None)
            assert event["state"] == "delivered", event


async def kill_and_start(daemon, pause):
    await daemon.kill()
    await asyncio.sleep(pause)
    await daemon.start()


@pytest.fixture
async def stopping():
    """What is to be stopped, also when the test fails."""
    stopping = []
    yield stopping
    for one in stopping:
        one.stop()


async def test_nothing_is_lost_and_nothing_comes_twice(place, stopping):
    random = seed(20260)
    gateway, server = await place.gateway_and_server()
    boards = await asyncio.gather(*(place.board(name, gateway) for name in BOARDS))
    application_server = await place.application_server(server, AS)
    traffic = Traffic(boards, application_server, random)
    stopping.append(traffic)

    victims = [gateway, server] * KILLS_OF_EACH
    random.shuffle(victims)
    share = MESSAGES // len(victims)
    for victim in victims:
        traffic.start(share)
        await asyncio.sleep(random.uniform(0, 0.4))
        await kill_and_start(victim, random.uniform(0, 0.3))
    traffic.start(MESSAGES - share * len(victims))
    await traffic.finished()
    print(dict(traffic.sent))
    assert sum(traffic.sent.values()) == MESSAGES and len(traffic.sent) == 3

    def stored():
        return gateway.stored() + server.stored()

    await until(lambda: not stored(), lambda: f"stores empty: {stored()}")
    # Each message at its recipient's application, each report at its sender, once.
    assert sorted(application_server.received()) == sorted(traffic.expected[AS])
    for board in boards:
        assert sorted(board.received()) == sorted(traffic.expected[board.ue_service_id])
    about = [report.message_id for report in application_server.reports]
    assert len(set(about)) == len(about) == traffic.sent["AS->UE"]
    assert all(report.delivered for report in application_server.reports)
    delivered = [message_id for board in boards for message_id in board.states("delivered")]
    assert len(set(delivered)) == len(delivered) == MESSAGES - len(about)
    for daemon in (gateway, server):
        assert await daemon.end() == 0
        assert daemon.stored() == []
