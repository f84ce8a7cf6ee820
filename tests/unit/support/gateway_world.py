# A gateway between clients and a server that accepts everything, in a world of its own time.

from msgin5g import messages, wire
from msgin5g.client import NOT_PROTECTED, Client
from msgin5g.coap.endpoint import Endpoint, Parameters
from msgin5g.gateway import Gateway
from msgin5g.store.memory import MemoryStore
from server import FakeServer
from world import FakeLink, World

UE = "ue-1@example.org"
OTHER = "ue-2@example.org"
AS = "as-1@example.org"
GATEWAY = "gateway@example.org"


class RegisteredStore(MemoryStore):
    # With the registrations that a gateway keeps.
    def __init__(self, **options):
        super().__init__(**options)
        self.entries = {}

    def registered(self):
        return list(self.entries.values())

    def save_registered(self, entry):
        self.entries[entry.ue_service_id] = entry

    def remove_registered(self, ue_service_id):
        self.entries.pop(ue_service_id, None)


class Setup:
    def __init__(self, **options):
        self.world = World()
        self.server = FakeServer(self.world)
        self.server.takes_apart = True
        for kind in (wire.SEGREC, wire.SEGCONFIR, wire.SFUPD):
            self.server.resource._handlers[kind] = self.server._on_message
        self.store = RegisteredStore(most_items=100, most_known=1000)
        self.gateway = None
        self.start_gateway(**options)

    def start_gateway(self, **options):
        many = Parameters(nstart=16, most_waiting=64, most_peers=64, most_unanswered=64, most_recent=500)
        down = Endpoint(
            Parameters(most_peers=64, most_unanswered=64, most_recent=500), self.world.random.bits
        )
        up = Endpoint(many, self.world.random.bits)
        self.gateway = Gateway(GATEWAY, down, up, "server", self.store, self.world.wall_clock, **options)
        self.world.join("gateway", down)
        self.world.join("gateway-up", up)
        self.gateway.start(self.world.now)

    def kill_gateway(self):
        self.world.leave("gateway")
        self.world.leave("gateway-up")

    def client(self, ue=UE, address="ue-1", gateway="gateway", **options):
        link = FakeLink.at(self.world, address)
        return Client(ue, gateway, security=NOT_PROTECTED, link=link, **options)

    async def run(self, coroutine, **options):
        return await self.world.run(coroutine, **options)

    def received(self, kind=wire.MSG):
        return [message for message in self.server.received if message[wire.MESSAGE_TYPE] == kind]


def to_client(text, message_id="d-1", ue=UE, report=True, expires=None):
    elements = messages.message((wire.AS, AS), (wire.UE, ue), message_id, True, report)
    messages.set_payload(elements, text)
    if expires:
        messages.set_expiration(elements, expires)
    return elements
