# The least that is a server to a gateway or a client: accepts registrations and messages, and remembers them.

from msgin5g import messages, wire
from msgin5g.aggregation import aggregated, split
from msgin5g.coap import numbers as coap
from msgin5g.coap.client import Client
from msgin5g.coap.endpoint import Endpoint, Parameters
from msgin5g.coap.server import Server
from msgin5g.resource import MessageResource, request_options


class FakeServer:
    def __init__(self, world, address="server", security=None):
        self.world = world
        parameters = Parameters(nstart=8, most_waiting=64, most_unanswered=64, most_peers=32)
        self.endpoint = world.join(address, Endpoint(parameters, world.random.bits, security=security))
        self.coap = Client(self.endpoint)
        self.resource = MessageResource(
            Server(self.endpoint),
            {
                wire.REG: self._on_reg,
                wire.DEREG: self._on_dereg,
                wire.MSG: self._on_message,
                wire.IMDN: self._on_message,
            },
        )
        self.registered = {}
        self.received = []
        # What came as one counts as what it is made of (8.4); how many each request carried.
        self.takes_apart = False
        self.carried = []
        # (code, elements) to answer the next messages with, instead of acceptance
        self.answers = []
        # Elements to answer the next registrations with, instead of success.
        self.interim = []
        self.refuse = None

    def _on_reg(self, request, elements, now):
        if self.refuse:
            self.resource.refuse(request, wire.REFUSED, elements, self.refuse, now)
            return
        if self.interim:
            self.resource.answer(request, wire.ACCEPTED, now, self.interim.pop(0))
            return
        ue = elements[wire.UE_SERVICE_ID]
        self.registered[ue] = request.peer.address
        self.resource.answer(request, wire.REGISTERED, now, messages.registration_result(wire.REG, ue))

    def _on_dereg(self, request, elements, now):
        ue = elements[wire.UE_SERVICE_ID]
        self.registered.pop(ue, None)
        self.resource.answer(request, wire.DEREGISTERED, now, messages.registration_result(wire.DEREG, ue))

    def _on_message(self, request, elements, now):
        originator = messages.originator(elements)[1]
        if self.registered.get(originator) != request.peer.address:
            self.resource.refuse(request, wire.REFUSED, elements, wire.NOT_REGISTERED, now)
            return
        if self.answers:
            code, told = self.answers.pop(0)
            self.resource.answer(request, code, now, told)
            return
        parts = split(elements) if self.takes_apart and aggregated(elements) else [elements]
        self.carried.append(len(parts))
        self.received += parts
        self.resource.answer(request, wire.ACCEPTED, now)

    def post(self, address, elements):
        # Send a message; returns a list that will hold the response.
        responses = []
        self.coap.request(
            address,
            coap.POST,
            request_options(),
            messages.encode(elements),
            lambda response, now: responses.append(response),
            self.world.now,
        )
        return responses
