# A gateway that speaks for an application's clients, a server that accepts everything, and Application Clients.

from msgin5g import messages, wire
from msgin5g.application_client import ApplicationClient as L3Client
from msgin5g.application_client_coap import ApplicationClient as CoapClient
from msgin5g.application_clients import Application, ApplicationEndpoint
from msgin5g.coap.endpoint import Endpoint, Parameters
from msgin5g.gateway import Gateway
from msgin5g.store.memory import MemoryStore
from server import FakeServer
from world import World

AS = "as-1@example.org"
GATEWAY = "gateway@example.org"
METER = "meter"
NUMBER = 17
CREDENTIAL = b"a secret"


class RegisteredStore(MemoryStore):
    def __init__(self, **options):
        super().__init__(**options)
        self.entries = {}

    def registered(self):
        return list(self.entries.values())

    def save_registered(self, entry):
        self.entries[entry.ue_service_id] = entry

    def remove_registered(self, ue_service_id):
        self.entries.pop(ue_service_id, None)


def recording(client):
    # Keeps what its application is told. It may fail some times before it takes a message.
    client.told = []
    client.reports = []
    client.messages = []
    client.failures = 0
    client.verdict = True
    client.on_told = lambda message_id, cause: client.told.append((message_id, cause))
    client.on_report = lambda message_id, delivered: client.reports.append((message_id, delivered))

    def on_message(message_id, originator, payload):
        if client.failures:
            client.failures -= 1
            raise MemoryError
        client.messages.append(
            (originator if isinstance(originator, str) else str(originator, "utf-8"), payload)
        )
        return client.verdict

    received = client.receive

    def receive(data, size, address, now):
        try:
            received(data, size, address, now)
        except MemoryError:
            # As a link does.
            pass

    client.on_message = on_message
    client.receive = receive
    return client


class Setup:
    def __init__(self, most_items=100, seed=1, **options):
        self.world = World(seed)
        self.server = FakeServer(self.world)
        self.store = RegisteredStore(most_items=most_items, most_known=1000)
        self.start_gateway(**options)
        self.world.advance(1000)

    def start_gateway(self, **options):
        many = Parameters(nstart=16, most_waiting=64, most_peers=64, most_unanswered=64, most_recent=500)
        bits = self.world.random.bits
        down = Endpoint(many, bits)
        up = Endpoint(many, bits)
        self.endpoint = ApplicationEndpoint(many, bits)
        self.endpoint.on_error = raised
        self.gateway = Gateway(GATEWAY, down, up, "server", self.store, self.world.wall_clock, **options)
        self.gateway.speak_for([Application(METER, NUMBER, CREDENTIAL)], self.endpoint)
        self.world.join("gateway", down)
        self.world.join("gateway-up", up)
        self.world.join("gateway-5", self.endpoint)
        self.gateway.start(self.world.now)

    def kill_gateway(self):
        self.world.leave("gateway")
        self.world.leave("gateway-up")
        self.world.leave("gateway-5")

    def client(self, number=NUMBER, credential=CREDENTIAL, address="meter"):
        return self._join(address, L3Client(number, credential, self.octets, layer_2_id=7))

    def coap_client(self, application=METER, credential="a secret", address="meter", **options):
        return self._join(address, CoapClient(application, credential, self.octets, **options))

    def octets(self, count):
        return bytes([self.world.random.bits(8) for _ in range(count)])

    def _join(self, address, client):
        client.address = "gateway-5"
        recording(client)
        return self.world.join(address, client)

    def received(self, kind=wire.MSG):
        return [message for message in self.server.received if message[wire.MESSAGE_TYPE] == kind]

    def down(self, text, message_id, application=METER, report=True, expires=None):
        # The server sends a message to the gateway's UE; a list that will hold the response.
        elements = messages.message((wire.AS, AS), (wire.UE, GATEWAY), message_id, True, report)
        messages.set_payload(elements, text)
        if application:
            elements[wire.APPLICATION_ID] = application
        if expires:
            messages.set_expiration(elements, expires)
        return self.server.post("gateway-up", elements)

    def counters(self):
        applications = self.gateway.application_clients
        assert applications
        return applications.counters


def coap_registered(**options):
    setup = Setup(**options)
    client = setup.coap_client()
    client.register(setup.world.now)
    setup.world.advance(1000)
    assert client.registered
    return setup, client


def raised(error):
    raise error
