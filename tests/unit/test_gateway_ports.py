# A gateway that speaks to its server from several ports: each has Message IDs of its own.

from gateway_world import AS, GATEWAY, UE, RegisteredStore
from msgin5g import messages, wire
from msgin5g.coap import numbers as n
from msgin5g.coap.endpoint import Endpoint, Parameters
from msgin5g.coap.message import Message, encode, encode_options
from msgin5g.gateway import Gateway
from msgin5g.resource import request_options
from world import World

PORTS = [("server", 5683), ("server", 5683, 0), ("server", 5683, 1)]
DEVICE = ("ue-1", 5683)
QUARTER = 0x4000


class Site:
    def __init__(self):
        world = World()
        many = Parameters(nstart=8, most_waiting=64, most_peers=8, most_unanswered=8, most_recent=64)
        self.down, self.up = Endpoint(many, world.random.bits), Endpoint(many, world.random.bits)
        self.store = store = RegisteredStore(most_items=64, most_known=64)
        self.gateway = Gateway(
            GATEWAY, self.down, self.up, PORTS[0], store, world.wall_clock, aggregate_linger=None
        )
        self.gateway.speak_to(list(PORTS))
        self.now = 0
        self.mid = 0
        self.gateway.start(self.now)
        self.answer_all()
        self.from_device(messages.registration(UE))
        self.answer_all()

    def from_device(self, elements):
        self.mid += 1
        options = encode_options(request_options())
        datagram = encode(n.CON, n.POST, self.mid, b"t", options, messages.encode(elements))
        self.down.receive(datagram, len(datagram), DEVICE, self.now)

    def send(self, message_id):
        self.from_device(messages.message((wire.UE, UE), (wire.AS, AS), message_id))

    def answer_all(self):
        # The server accepts everything. Returns where it was spoken to.
        told = []
        while True:
            datagrams = self.up.datagrams_to_send()
            if not datagrams:
                return told
            for datagram, address in datagrams:
                message = Message()
                message.decode(datagram, len(datagram))
                if message.type == n.CON:
                    told.append(address)
                    answer = encode(n.ACK, n.CHANGED, message.mid, message.token())
                    self.up.receive(answer, len(answer), address, self.now)

    def use_up(self, address):
        # All Message IDs for an address but one.
        peer = self.up.peer(address, self.now)
        peer.next_mid = QUARTER - 1
        for quarter in (1, 2, 3):
            self.up._rest(peer, quarter * QUARTER, self.now)


def test_messages_go_from_the_port_that_has_message_ids():
    site = Site()
    used = []
    site.use_up(PORTS[0])
    site.use_up(PORTS[1])
    for number in range(4):
        site.send("m-%d" % number)
        used += site.answer_all()
    assert used == [PORTS[0], PORTS[1], PORTS[2], PORTS[2]]
    # The answers came to where they were waited for: nothing is left.
    assert len(site.store) == 0
    assert site.up.occupancy()["outstanding"] == 0


def test_without_message_ids_messages_wait():
    site = Site()
    for address in PORTS:
        site.use_up(address)
    for number in range(5):
        site.send("m-%d" % number)
    assert site.answer_all() == PORTS
    assert len(site.store) == 2
    # A quarter is free again after EXCHANGE_LIFETIME.
    for _ in range(1000):
        site.now += 300
        site.up.handle_timer(site.now)
        site.answer_all()
    assert len(site.store) == 0


def test_the_server_is_known_at_each_of_its_addresses_and_nobody_else_is():
    site = Site()
    elements = messages.message((wire.AS, AS), (wire.UE, UE), "d-1")
    options = encode_options(request_options())
    codes = []
    for mid, address in enumerate(PORTS + [("server", 5684), ("server", 5683, 2)]):
        elements[wire.MESSAGE_ID] = "d-%d" % mid
        datagram = encode(n.CON, n.POST, 100 + mid, b"s", options, messages.encode(elements))
        site.up.receive(datagram, len(datagram), address, site.now)
        for answer, where in site.up.datagrams_to_send():
            assert where == address
            codes.append(answer[1])
    assert codes == [n.CHANGED, n.CHANGED, n.CHANGED, n.FORBIDDEN, n.FORBIDDEN]


def test_a_gateway_registers_from_its_first_port():
    site = Site()
    site.use_up(PORTS[0])
    site.gateway.registration.confirm(site.now)
    assert site.answer_all() == [PORTS[0]]
