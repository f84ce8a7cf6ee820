# A simulated board: the MSGin5G Client under MicroPython's Unix port. It takes commands on stdin and tells events on
# stdout, one JSON object a line each. host_tools/simulator/boards.py starts it.
#
#     {"do": "register"}  {"do": "deregister"}  {"do": "memory"}  {"do": "quit"}
#     {"do": "send", "ue" or "as": recipient, "payload": text, "report": false for none, "tag": any,
#      "window": wait until the fate of fewer messages than that is open, "expires_in": seconds}
#
# It has a folder when it was provisioned: with device.json, the sequence number of its key, and its messages, which
# outlive it. Without one it is not protected, and forgets.

import gc

# Collected often, what is loaded first lies close together, and the heap that is left stays in one piece.
gc.threshold(4096)

import asyncio
import json
import sys
import time

from msgin5g.application import RegistrationRefused
from msgin5g.client import NOT_PROTECTED, Client
from msgin5g.coap.endpoint import Parameters
from msgin5g.store import Full


def tell(event, **detail):
    detail["event"] = event
    print(json.dumps(detail))


class Board:
    def __init__(self, ue):
        self.ue = ue
        self.ue.on_registration = self.on_registration
        self.ue.on_state = self.on_state
        # Messages whose fate is open: their Message IDs.
        self.open = []

    async def run(self):
        gc.collect()
        tell("ready", free=gc.mem_free(), interpreter=about())
        receiving = asyncio.create_task(self.receive())
        stdin = asyncio.StreamReader(sys.stdin)
        while True:
            line = await stdin.readline()
            if not line:
                break
            command = json.loads(line)
            if command["do"] == "quit":
                break
            await getattr(self, "do_" + command["do"])(command)
        receiving.cancel()
        self.ue.close()

    async def receive(self):
        while True:
            message = await self.ue.receive()
            tell(
                "received",
                id=message.message_id,
                originator=message.originator,
                application=message.application,
                payload=message.payload,
            )

    async def do_register(self, command):
        # Not waited for: messages are stored meanwhile.
        self.registering = asyncio.create_task(self.register())

    async def register(self):
        try:
            await self.ue.register()
        except RegistrationRefused as refused:
            tell("refused", cause=refused.args[0])

    async def do_deregister(self, command):
        await self.ue.deregister()
        tell("deregistered")

    async def do_send(self, command):
        while len(self.open) >= command.get("window", 1000):
            await asyncio.sleep_ms(5)
        while True:
            try:
                sent = await self.ue.send(
                    command["payload"],
                    ue=command.get("ue"),
                    application_server=command.get("as"),
                    report=command.get("report", True),
                    expires_in=command.get("expires_in"),
                )
                break
            except Full:
                # The application's choice here: wait until something has gone.
                await asyncio.sleep_ms(20)
        self.open.append(sent.message_id)
        tell("stored", id=sent.message_id, tag=command.get("tag"))

    async def do_memory(self, command):
        gc.collect()
        tell("memory", free=gc.mem_free(), used=gc.mem_alloc())

    def on_registration(self, registered, cause):
        tell("registered" if registered else "not registered", cause=cause)

    def on_state(self, sent):
        # It may have been sent before this process was started.
        if sent.final() and sent.message_id in self.open:
            self.open.remove(sent.message_id)
        took = time.ticks_diff(sent.until, sent.since)
        tell("state", id=sent.message_id, state=sent.state, cause=sent.cause, ms=took)


def link_for(gateway):
    # A gateway may be at the other end of a serial line: its name is the device then.
    if not gateway.startswith("/"):
        return None
    import termios  # noqa: PLC0415 (for the boards that need it)

    from msgin5g.link.serial import SerialLink  # noqa: PLC0415

    line = open(gateway, "r+b")
    termios.setraw(line.fileno())
    return lambda endpoint: SerialLink(endpoint, line, waits=True)


def about():
    word = "32-bit" if sys.maxsize == 0x7FFFFFFF else "64-bit"
    return "MicroPython %d.%d %s" % (sys.implementation.version[0], sys.implementation.version[1], word)


def provisioned(folder, gateway, port, ack_timeout, content_format):
    from msgin5g import provisioning  # noqa: PLC0415 (for the boards that need it)
    from msgin5g.store.flash import FlashStore  # noqa: PLC0415

    file = folder + "/device.json"
    device = provisioning.read(file)
    security = provisioning.DeviceSecurity(device["oscore"], provisioning.Counter(file + ".sequence"))
    security.use(device["gateway_ue_service_id"])
    return Client(
        device["ue_service_id"],
        gateway,
        port,
        security,
        link_for(gateway),
        Parameters(ack_timeout=ack_timeout, token_length=1),
        FlashStore(folder + "/messages"),
        content_format=content_format,
    )


def main():
    ue_service_id, gateway, port, ack_timeout, folder, content_format = sys.argv[1:7]
    port, ack_timeout, content_format = int(port), int(ack_timeout), int(content_format)
    if folder:
        ue = provisioned(folder, gateway, port, ack_timeout, content_format)
    else:
        parameters = Parameters(ack_timeout=ack_timeout)
        ue = Client(
            ue_service_id,
            gateway,
            port,
            NOT_PROTECTED,
            link_for(gateway),
            parameters,
            content_format=content_format,
        )
    asyncio.run(Board(ue).run())


main()
