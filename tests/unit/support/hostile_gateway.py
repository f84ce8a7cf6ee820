# A gateway that does as it should, except where a test tells it otherwise; and a client whose life goes on is shown.

import msgin5g.client
from msgin5g import messages, wire
from msgin5g.client import NOT_PROTECTED, Client
from msgin5g.coap import numbers as coap
from msgin5g.resource import request_options
from server import FakeServer
from world import FakeLink, World

UE = "meter-17@example.org"
AS = "meters@example.org"


class HostileGateway(FakeServer):
    def __init__(self, world, address="server", security=None):
        super().__init__(world, address, security)
        # Message Type -> on(request, elements, now), instead of what is right.
        self.on = {}
        for kind in (wire.REG, wire.DEREG, wire.MSG, wire.IMDN, wire.SEGREC, wire.SEGCONFIR, wire.SFUPD):
            self.resource._handlers[kind] = self._dispatch(kind, self.resource._handlers.get(kind))

    def _dispatch(self, kind, right):
        def handle(request, elements, now):
            on = self.on.get(kind, right)
            if on:
                on(request, elements, now)
            else:
                self.resource.answer(request, wire.ACCEPTED, now)

        return handle

    def always(self, kind, code, told=None, max_age=None):
        def on(request, elements, now):
            self.resource.answer(request, code, now, told, max_age)

        self.on[kind] = on

    def raw(self, kind, code, payload=b"", content_format=-1, options=()):
        # A body of any octets.
        def on(request, elements, now):
            self.resource._server.respond(request, code, now, payload, content_format, options)

        self.on[kind] = on

    def throw(self, address, body, content_format=coap.JSON):
        # Octets as a message; a list that will hold the response.
        responses = []
        self.coap.request(
            address,
            coap.POST,
            request_options(content_format=content_format),
            body,
            lambda response, now: responses.append(response),
            self.world.now,
        )
        self.world.settle()
        return responses


class Setup:
    def __init__(self, seed=1, **options):
        self.world = World(seed)
        self.gateway = HostileGateway(self.world)
        self.errors = []
        self.client = self.new_client(**options)
        self.number = 0

    def new_client(self, **options):
        own_clock = msgin5g.client.wall_clock
        msgin5g.client.wall_clock = self.world.wall_clock
        options.setdefault("security", NOT_PROTECTED)
        client = Client(UE, "server", link=FakeLink.at(self.world, "ue"), **options)
        msgin5g.client.wall_clock = own_clock
        client.endpoint.on_error = self.on_error
        return client

    def on_error(self, error):
        self.errors.append(error)

    async def registered(self):
        await self.world.run(self.client.register())
        return self

    async def per_minute(self, minutes=5):
        # Datagrams in each minute, both ways, once whatever it is has settled.
        before = self.world.datagrams
        self.world.advance(60000 * minutes)
        return (self.world.datagrams - before) // minutes

    async def goes_on(self):
        # It sends and receives as ever, each once.
        self.gateway.on = {}
        self.number += 1
        text = "still there %d" % self.number
        sent = await self.client.send(text, application_server=AS, report=False)
        assert await self.world.run(sent.accepted()), (sent.state, sent.cause)
        got = [one for one in self.gateway.received if messages.payload(one) == text]
        assert len(got) == 1, got
        self.gateway.post("ue", incoming(text, "after-%d" % self.number))
        while True:
            message = await self.world.run(self.client.receive())
            if message.payload == text:
                break
        await self.world.run(self.client.settled())
        reports = [
            one
            for one in self.gateway.received
            if one[wire.MESSAGE_TYPE] == wire.IMDN and one[wire.MESSAGE_ID] == "after-%d" % self.number
        ]
        assert len(reports) == 1, reports


def incoming(text="hi", message_id="m-1", report=True):
    elements = messages.message((wire.AS, AS), (wire.UE, UE), message_id, True, report)
    messages.set_payload(elements, text)
    return elements
