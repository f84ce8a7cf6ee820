"""Several MSGin5G Clients in one process, each with its key, its socket, and its store on flash in a folder.

    python -m tests.faults.fleet SURROUNDINGS PORT ACK_TIMEOUT FOLDER...

Commands on stdin and events on stdout are those of host_tools/simulator/board.py, with the client's name as "ue".
"""

import asyncio
import json
import os
import random
import sys
from pathlib import Path

from tests.faults import payloads, surroundings

if __name__ == "__main__":
    surroundings.enter(sys.argv[1])

from msgin5g import provisioning, wire
from msgin5g.client import Client
from msgin5g.coap import numbers as coap
from msgin5g.coap.endpoint import Parameters
from msgin5g.store import INCOMING, Full
from msgin5g.store.counter import Counter
from msgin5g.store.flash import FlashStore

from host_tools.link import UdpLink


class Unit:
    """One client and its application."""

    def __init__(self, folder, port, ack_timeout):
        device = provisioning.read(str(folder / "device.json"))
        security = provisioning.DeviceSecurity(device["oscore"], Counter(str(folder / "sequence")))
        security.use(device["gateway_ue_service_id"])
        self.name = device["ue_service_id"]
        self.store = FlashStore(str(folder / "messages"))
        self.ue = Client(
            self.name,
            "127.0.0.1",
            port,
            security,
            lambda endpoint: UdpLink(endpoint, "127.0.0.1"),
            Parameters(ack_timeout=ack_timeout, token_length=1),
            self.store,
            # Both formats are to be seen.
            content_format=coap.CBOR if sum(self.name.encode()) & 1 else coap.JSON,
        )
        self.ue.on_state = self._on_state
        self._tell_before_it_is_taken()
        self._tasks = [asyncio.create_task(one()) for one in (self.ue.register, self._receive, self._refresh)]
        for task in self._tasks:
            # What it raises is seen.
            task.add_done_callback(asyncio.Task.result)

    def tell(self, event, **detail):
        os.write(1, json.dumps(detail | {"ue": self.name, "event": event}).encode() + b"\n")

    def _tell_before_it_is_taken(self):
        # What is killed between that and "received" was handed over to nobody: see Ledger.
        hand_over = self.ue.inbox.hand_over

        def told(item, elements, now):
            self.tell("taking", id=elements[wire.MESSAGE_ID])
            hand_over(item, elements, now)

        self.ue.inbox.hand_over = told

    async def _receive(self):
        while True:
            try:
                message = await self.ue.receive()
            except Full:
                # It can't be taken durably: it is still there.
                await asyncio.sleep(0.05)
                continue
            payload = payloads.name_of(message.payload)
            self.tell("received", id=message.message_id, originator=message.originator, payload=payload)

    async def _refresh(self):
        # What a client does every half an hour: one whose NAT has forgotten it is found again.
        while True:
            await asyncio.sleep(random.uniform(3, 5))
            if self.ue.registered:
                self.ue.registration.confirm(self.ue.link.now())
                self.ue.link.flush()

    def _on_state(self, sent):
        self.tell("state", id=sent.message_id, state=sent.state, cause=sent.cause, reporter=sent.reporter)

    async def do_send(self, command):
        while True:
            try:
                sent = await self.ue.send(
                    payloads.make(command["payload"], command.get("size", 0)),
                    ue=command.get("ue_service_id"),
                    application_server=command.get("as"),
                    group=command.get("group"),
                    report=command.get("report", True),
                    expires_in=command.get("expires_in"),
                    priority=command.get("priority"),
                )
                break
            except Full:
                await asyncio.sleep(0.05)
        self.tell("stored", id=sent.message_id, tag=command["payload"])

    async def do_look(self, command):
        self.tell(
            "look",
            stored=[
                [item.hop, item.kind, item.message_id]
                for hop in ("", *INCOMING)
                for item in self.store.pending(hop, -1, 99)
            ],
            counters=self.ue.counters | self.store.counters,
            endpoint=self.ue.endpoint.occupancy(),
        )


async def run(port, ack_timeout, folders):
    """Until stdin ends."""
    units = {}
    for folder in folders:
        unit = Unit(folder, port, ack_timeout)
        units[unit.name] = unit
        unit.tell("ready")
    commands = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(commands), sys.stdin
    )
    doing = set()
    while line := await commands.readline():
        command = json.loads(line)
        task = asyncio.create_task(getattr(units[command["ue"]], "do_" + command["do"])(command))
        doing.add(task)
        task.add_done_callback(asyncio.Task.result)
        task.add_done_callback(doing.discard)


if __name__ == "__main__":
    asyncio.run(run(int(sys.argv[2]), int(sys.argv[3]), [Path(folder) for folder in sys.argv[4:]]))
