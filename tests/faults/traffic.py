"""Messages in all directions, and who was told what of them."""

import asyncio
import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field

from host_tools.simulator.boards import BoardFailed
from tests.faults import payloads
from tests.faults.site import AS, GROUP

# Messages of each client, and for each client from the Application Server.
UP = 4
DOWN = 1
# Seconds after which some of the messages are worth nothing any more, and how many of a hundred are such.
SHORT = 2
SHORT_LIVED = 12
# Characters of a large one, and how many of a hundred are.
LARGE = 5000
LARGE_ONES = 3
# Of a hundred, how many a client sends to the Application Server, and to a group; the rest goes to another client.
TO_AS = 50
TO_GROUP = 6
PRIORITIES = (None, None, None, "HIGH", "MIDDLE", "LOW")


@dataclass
class Promise:
    """What an application was told is stored.

    Attributes:
        payload: the name of its payload.
        sender: Service ID.
        recipients: Service IDs.
        message_id: Message ID.
        short: does it expire?
        report: was one asked for?
    """

    payload: str
    sender: str
    recipients: tuple
    message_id: str
    short: bool = False
    report: bool = True
    large: bool = False


@dataclass
class Ledger:
    """What every application has said and got."""

    promises: list = field(default_factory=list)
    # (recipient, payload) -> how often
    arrived: Counter = field(default_factory=Counter)
    # (sender, Message ID) -> {(state, reporter)}
    states: defaultdict = field(default_factory=lambda: defaultdict(set))
    # (recipient, Message ID) of what was being handed over when its process was killed, and (recipient, payload) of
    # what had just been.
    cut: set = field(default_factory=set)
    causes: Counter = field(default_factory=Counter)
    last: dict = field(default_factory=dict)
    looks: dict = field(default_factory=dict)

    def on_event(self, ue, event):
        """An event of a client."""
        what = event["event"]
        if what == "received":
            name = payloads.name_of(event["payload"]) if "|" in event["payload"] else event["payload"]
            self.arrived[ue, name] += 1
        elif what == "state":
            state = event["state"]
            if event["cause"]:
                # Of a group one member may have it, and another not.
                state = "expired" if event["cause"] == "EXPIRED" else "failed"
                self.causes[event["cause"]] += 1
            self.states[ue, event["id"]].add((state, event.get("reporter")))
        elif what == "look":
            self.looks[ue] = event
        if what in {"taking", "received"}:
            self.last[ue] = event

    def on_message(self, message):
        """A message of the Application Server."""
        self.arrived[AS, payloads.name_of(message.payload)] += 1

    def on_report(self, report):
        """A report of the Application Server."""
        state = "delivered" if report.delivered else "expired" if report.cause == "EXPIRED" else "failed"
        self.states[AS, report.message_id].add((state, None))
        if report.cause:
            self.causes[report.cause] += 1

    def on_killed(self, ues):
        """These were killed, and all that they have said is known."""
        for ue in ues:
            last = self.last.pop(ue, None)
            if last and last["event"] == "taking":
                self.cut.add((ue, last["id"]))
            elif last:
                self.cut.add((ue, last["payload"]))


class Traffic:
    """The applications: they send for some seconds."""

    def __init__(self, site, ledger, random, seconds):
        self._site = site
        self._ledger = ledger
        self._random = random
        self._until = seconds
        self.sent = Counter()

    def tasks(self):
        """One for each sender."""
        units, boards = self._site.units, self._site.boards
        # All that is decided by chance is decided now: the seed says it, and not the order in which tasks run.
        for sender in (*units, *boards):
            yield self._talk([self._message(sender, number) for number in range(UP)])
        for recipient in (*units, *boards):
            yield self._talk([self._from_as(recipient, number) for number in range(DOWN)])

    def _common(self, message, large_too):
        chance = self._random.random
        message["at"] = chance() * self._until
        kind = chance() * 100
        # What is left of a large one that expires in the middle is held for 15 minutes: too long for a run.
        message["large"] = kind < LARGE_ONES and large_too
        if kind >= 100 - SHORT_LIVED:
            message["expires_in"] = SHORT
        return message

    def _message(self, sender, number):
        site, chance = self._site, self._random.random
        message = {
            "sender": sender,
            "payload": f"{sender} {number}",
            "priority": self._random.choice(PRIORITIES),
        }
        self._common(message, sender in site.units)
        kind = chance() * 100
        others = [ue for ue in (*site.units, *site.boards) if ue != sender]
        if kind < TO_GROUP and sender in site.members and sender in site.units:
            # There is a board among them, whose application has no room for a large one.
            message["large"] = False
            message |= {"group": GROUP, "to": tuple(ue for ue in site.members if ue != sender)}
        elif kind < TO_AS:
            message |= {"as": AS, "to": (AS,)}
        else:
            recipient = self._random.choice(others)
            message |= {"ue_service_id": recipient, "to": (recipient,)}
            message["large"] &= recipient in site.units
        if "expires_in" not in message and "group" not in message:
            message["report"] = chance() < 0.9
        return message

    def _from_as(self, recipient, number):
        message = {"sender": AS, "payload": f"as to {recipient} {number}", "to": (recipient,)}
        return self._common(message, recipient in self._site.units)

    async def _talk(self, messages):
        start = time.monotonic()
        for message in sorted(messages, key=lambda one: one["at"]):
            await asyncio.sleep(start + message["at"] - time.monotonic())
            send = self._send_as if message["sender"] == AS else self._send
            name, message_id = await send(message)
            self._ledger.promises.append(
                Promise(
                    name,
                    message["sender"],
                    message["to"],
                    message_id,
                    "expires_in" in message,
                    message.get("report", True),
                    message["large"],
                )
            )
            direction = "UE" if message["sender"] != AS else "AS"
            self.sent[
                f"{direction} to {'AS' if AS in message['to'] else 'group' if 'group' in message else 'UE'}"
            ] += 1

    async def _send(self, message):
        """Until the client says that it is stored."""
        host = self._site.hosts[message["sender"]]
        options = {key: message[key] for key in _OPTIONS if key in message}
        name = message["payload"]
        is_board = message["sender"] in self._site.boards
        if is_board and "ue_service_id" in options:
            options["ue"] = options.pop("ue_service_id")
        while True:
            async with host.at_work:
                begin, pid = len(host.events), host.pid
                size = {"size": LARGE} if message["large"] else {}
                to = {} if is_board else {"ue": message["sender"]}
                host.tell("send", payload=name, tag=name, **to, **options, **size)
            try:
                event = await host.wait(_tagged(name), since=begin, timeout=60)
            except BoardFailed:
                async with host.at_work:
                    if host.pid == pid:
                        raise
                # Killed before it could tell. It may have stored it all the same: the next one is another message.
                name += "'"
                continue
            return name, event["id"]

    async def _send_as(self, message):
        name = message["payload"]
        expires = time.time() + message["expires_in"] if "expires_in" in message else None
        message_id, _ = await self._site.application_server.send(
            payloads.make(name, LARGE if message["large"] else 0), message["to"][0], expires=expires
        )
        return name, message_id


def _tagged(tag):
    return lambda event: event.get("tag") == tag


# What is told to a client as it is.
_OPTIONS = ("as", "ue_service_id", "group", "report", "expires_in", "priority")
