"""Twenty boards behind a link that loses, doubles and reorders, with an outage, while everything is killed at random.

What was told `stored` arrives once at its recipient's application or is told `expired`, and every report finds its
sender. A board is killed as power fails: it keeps what is on its flash, and nothing else.
"""

import asyncio
from collections import Counter

import pytest

from host_tools.simulator.boards import BoardFailed
from tests.interop.middlebox import MiddleBox
from tests.system.processes import seed, until

AS = "as@example.org"
BOARDS = 20
# Messages of each board, and for each board from the Application Server.
UP = 8
DOWN = 3
# How often a board is killed, one of them at random; gateway and server, each.
BOARD_KILLS = 20
DAEMON_KILLS = 5
# Percentages of the datagrams between boards and gateway, and by how many seconds they overtake each other.
LOSS = 20
DUPLICATION = 10
JITTER = 0.03
# Of an access point, in seconds: some sixty times ACK_TIMEOUT, two minutes where that is two seconds.
OUTAGE = 9
# Seconds after which some of the messages are worth nothing any more.
SHORT = 3
PATIENCE = 150


class AccessPoint(MiddleBox):
    """Where boards believe their gateway to be."""

    @property
    def address(self):
        return ("127.0.0.1", self.port)


class Campaign:
    """Traffic in all directions, and who was told what of it."""

    def __init__(self, place, random):
        self.random = random
        self.place = place
        # payload -> (sender, recipient, Message ID) of what was told to be stored
        self.promised = {}
        self.kills = Counter()
        self._up = {}

    async def begin(self):
        self.gateway, self.server = await self.place.gateway_and_server()
        self.application_server = await self.place.application_server(self.server, AS)
        self.access_point = AccessPoint(
            self.gateway.port, LOSS, DUPLICATION, jitter=JITTER, seed=self.random.getrandbits(30)
        )
        self.access_point.__enter__()
        names = [f"board-{number:02}@example.org" for number in range(BOARDS)]
        boards = await asyncio.gather(
            *(
                self.place.board(name, self.access_point, register=False, by=self.gateway, content_format=60)
                for name in names
            )
        )
        self.boards = dict(zip(names, boards, strict=True))
        for name, board in self.boards.items():
            self._up[name] = asyncio.Event()
            self._up[name].set()
            board.tell("register")

    def end(self):
        self.access_point.__exit__()

    # -- traffic

    async def talk(self, name):
        """All that a board sends."""
        others = [other for other in self.boards if other != name]
        for number in range(UP):
            await asyncio.sleep(self.random.uniform(0.1, 2.5))
            recipient = AS if self.random.random() < 0.6 else self.random.choice(others)
            short = {"expires_in": SHORT} if self.random.random() < 0.15 else {}
            await self._until_stored(name, f"{name} {number}", recipient, short)

    async def _until_stored(self, name, payload, recipient, options):
        board = self.boards[name]
        to = {"as" if recipient == AS else "ue": recipient}
        while True:
            await self._up[name].wait()
            begin = len(board.events)
            try:
                board.tell("send", payload=payload, tag=payload, **to, **options)
                event = await board.wait(_tagged(payload), since=begin, timeout=20)
            except (BoardFailed, ConnectionError):
                # Killed before it could tell. It may have stored it all the same: the next one is another message.
                payload += "'"
                await asyncio.sleep(0.05)
                continue
            self.promised[payload] = (name, recipient, event["id"])
            return

    async def tell(self, name):
        """All that the Application Server sends to a board."""
        for number in range(DOWN):
            await asyncio.sleep(self.random.uniform(0.5, 5))
            payload = f"to {name} {number}"
            # While the server is killed and started again it tries again by itself, with the same Message ID.
            message_id, _ = await self.application_server.send(payload, name)
            self.promised[payload] = (AS, name, message_id)

    # -- faults

    async def kill(self):
        victims = [self.random.choice(list(self.boards)) for _ in range(BOARD_KILLS)]
        victims += ["gateway", "server"] * DAEMON_KILLS
        self.random.shuffle(victims)
        for victim in victims:
            await asyncio.sleep(self.random.uniform(0.1, 0.7))
            self.kills[victim] += 1
            pause = self.random.uniform(0, 0.4)
            if victim in self.boards:
                await self._kill_board(victim, pause)
            else:
                daemon = getattr(self, victim)
                await daemon.kill()
                await asyncio.sleep(pause)
                await daemon.start()

    async def _kill_board(self, name, pause):
        board = self.boards[name]
        self._up[name].clear()
        await board.kill()
        await asyncio.sleep(pause)
        await board.start()
        board.tell("register")
        self._up[name].set()

    async def outage(self):
        await asyncio.sleep(self.random.uniform(2, 5))
        self.access_point.loss = 100
        await asyncio.sleep(OUTAGE)
        self.access_point.loss = LOSS

    # -- what came of it

    def arrived(self):
        """payload -> how often it was handed to its recipient's application."""
        payloads = Counter(self.application_server.received())
        for board in self.boards.values():
            payloads.update(board.received())
        return payloads

    def told(self, sender, message_id):
        """The states that a message's sender was told of it."""
        if sender == AS:
            reports = [one for one in self.application_server.reports if one.message_id == message_id]
            return ["delivered" if report.delivered else report.cause.lower() for report in reports]
        events = self.boards[sender].events
        return [event["state"] for event in events if event["event"] == "state" and event["id"] == message_id]

    def state(self):
        """What is open, and where it is."""
        lines = ["the fate of:"]
        for payload in self.open():
            sender, recipient, message_id = self.promised[payload]
            arrived = self.arrived()[payload]
            lines.append(
                f"{payload!r} to {recipient}, {message_id}: {self.told(sender, message_id)}, {arrived}"
            )
        for daemon in (self.gateway, self.server):
            lines.extend(f"{daemon.service_id}: {stored}" for stored in daemon.stored())
        lines.extend(
            f"{name}: {board.events[-3:]} {board.complaints()}" for name, board in self.boards.items()
        )
        return "\n".join(lines)

    def open(self):
        """Messages whose sender does not know their end yet."""
        return [
            payload
            for payload, (sender, _, message_id) in self.promised.items()
            if not {"delivered", "expired", "failed"}.intersection(self.told(sender, message_id))
        ]


def _tagged(tag):
    return lambda event: event.get("tag") == tag


@pytest.fixture
async def campaign(place):
    campaign = Campaign(place, seed(20261122))
    await campaign.begin()
    yield campaign
    campaign.end()


async def test_what_is_stored_arrives_once_or_is_told_expired(campaign):
    names = list(campaign.boards)
    await asyncio.gather(
        campaign.kill(),
        campaign.outage(),
        *(campaign.talk(name) for name in names),
        *(campaign.tell(name) for name in names),
    )
    campaign.access_point.loss = 0
    await until(lambda: not campaign.open(), campaign.state, PATIENCE)

    arrived = campaign.arrived()
    outcomes = Counter()
    wrong = []
    for payload, (sender, recipient, message_id) in campaign.promised.items():
        states = campaign.told(sender, message_id)
        # A hop that gave up tells that it expired. Where only the answer to it was lost the recipient knows better.
        expired = "expired" in states and "delivered" not in states
        outcomes["expired" if expired else "delivered" if "delivered" in states else "failed"] += 1
        # Handed over at the very moment at which its recipient was killed, so that nobody could see it: the report
        # says that it was.
        unseen = not arrived[payload] and "delivered" in states and campaign.kills[recipient]
        outcomes["handed over unseen"] += bool(unseen)
        if "failed" in states or (arrived[payload] != (not expired) and not unseen):
            wrong.append((payload, sender, recipient, message_id, states, arrived[payload]))
    print(dict(outcomes), dict(campaign.kills), f"{campaign.access_point.lost} datagrams lost")
    assert not wrong
    assert [payload for payload, times in arrived.items() if times > 1] == []
    assert len(campaign.promised) == BOARDS * (UP + DOWN)
    assert outcomes["handed over unseen"] <= 1
    assert sum(campaign.kills.values()) == BOARD_KILLS + 2 * DAEMON_KILLS
