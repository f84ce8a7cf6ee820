"""A server in a world of its own time, on a real store, and peers that talk to it."""

from typing import Any

from msgin5g import messages, wire
from msgin5g.coap import numbers as coap
from msgin5g.coap.client import Client
from msgin5g.coap.endpoint import Endpoint, Parameters
from msgin5g.coap.message import dotted
from msgin5g.coap.server import Server as CoapServer
from msgin5g.resource import MessageResource, request_options, told
from world import World

from host_tools.server.aggregation import Aggregates
from host_tools.server.amendments import Amendments
from host_tools.server.coap_face import CoapFace
from host_tools.server.groups import Groups
from host_tools.server.segmentation import Segments
from host_tools.server.service import Service
from host_tools.server.topics import Topics
from host_tools.server.topics_face import TopicsFace
from host_tools.store import SqliteStore

UE1, UE2, UE3, AS = "ue1@a", "ue2@a", "ue3@a", "as@a"
GATEWAY, GATEWAY2 = "gateway@a", "gateway2@a"
SERVER = ("server", 5683)


class Peer:
    """A UE or a gateway: sends what it is told to, answers what it gets, and remembers it."""

    server = SERVER

    def __init__(self, world, name):
        self.world = world
        self.address = (name, 5683)
        self.received = []
        # (code, elements) to answer with, instead of acceptance
        self.answer: tuple[int, str] | None = None
        parameters = Parameters(nstart=8, most_waiting=64, most_unanswered=64, most_peers=32)
        self.endpoint = world.join(self.address, Endpoint(parameters, world.random.bits))
        self.client = Client(self.endpoint)
        self.resource = MessageResource(
            CoapServer(self.endpoint),
            dict.fromkeys((wire.MSG, wire.IMDN, wire.MSGRESP, wire.SEGREC, wire.SEGCONFIR), self._on_message),
        )

    def _on_message(self, request, elements, now):
        if self.answer:
            code, cause = self.answer
            self.resource.refuse(request, code, elements, cause, now)
            return
        self.received.append(elements)
        self.resource.answer(request, wire.ACCEPTED, now)

    def send(self, elements):
        """Send a message and return the list that will hold the response."""
        responses = []
        self.client.request(
            self.server,
            coap.POST,
            request_options(),
            messages.encode(elements),
            lambda response, now: responses.append(response),
            self.world.now,
        )
        self.world.settle()
        return responses

    def post(self, elements):
        """Send a message that is answered at once: (code, elements)."""
        (response,) = self.send(elements)
        return dotted(response.code), told(response)

    def register(self, ue):
        return self.post(messages.registration(ue))

    def ids(self):
        return [elements[wire.MESSAGE_ID] for elements in self.received]

    def leave(self):
        self.world.leave(self.address)

    def back(self):
        self.world.join(self.address, self.endpoint)


class Lab:
    def __init__(self, path, most_ues=100, groups=(), topics=None):
        self.path = path
        self.most_ues = most_ues
        self.configured = groups, topics
        self.segment_limits = {}
        self.aggregate = False
        self.world = World()
        self.start()

    def start(self):
        self.store = SqliteStore(self.path, 1000, self.world.wall_clock)
        self.service = Service(self.store, self.world.wall_clock)
        parameters = Parameters(
            nstart=32, most_waiting=64, most_unanswered=64, most_peers=64, most_recent=500
        )
        endpoint = self.world.join(
            SERVER, Endpoint(parameters, self.world.random.bits, security=self.secured(self.store))
        )
        self.face = CoapFace(
            endpoint,
            self.service,
            self.world.wall_clock,
            (GATEWAY, GATEWAY2),
            self.most_ues,
            aggregate=self.aggregate,
        )
        self.service.outbound[wire.UE] = self.face
        groups, topics = self.configured
        self.groups = Groups(self.service, groups)
        Amendments(self.service)
        self.segments = Segments(endpoint, self.service, self.face, **self.segment_limits)
        Aggregates(self.service)
        self.topics = Topics(self.service, topics)
        TopicsFace(self.face.server, self.topics, self.face.refusal)
        self.world.before_send = [self.store.commit]
        self.segments.start(self.world.now)
        self.face.start(self.world.now)

    def secured(self, store) -> Any:
        """What its endpoint is secured by: nothing."""
        return

    def restart(self):
        """As after a power cut: what was not committed is gone."""
        self.world.leave(SERVER)
        self.store._database.close()
        self.start()

    def peer(self, name):
        return Peer(self.world, name)

    def gateway(self, name="gateway", ue=GATEWAY):
        peer = self.peer(name)
        assert peer.register(ue)[0] == "2.01"
        return peer

    def held(self, ue):
        return [item.message_id for item in self.store.pending(ue, -1, 100)]

    def via(self, ue):
        entry = self.face.registry.get(ue)
        return entry and entry.via

    def address(self, ue):
        entry = self.face.registry.get(ue)
        return entry and entry.address


def msg(message_id="m-1", origin=UE1, to=UE2, held=True, report=True):
    elements = messages.message((wire.UE, origin), (wire.UE, to), message_id, held, report)
    messages.set_payload(elements, "x")
    return elements
