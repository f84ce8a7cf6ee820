# Segments that are anything: never more than what is bounded, never an exception, and nothing left in the end.

from msgin5g import messages, wire
from msgin5g.coap.endpoint import Endpoint, Parameters
from msgin5g.reassembly import Reassembly
from msgin5g.store.memory import MemoryStore
from world import World

CODES = (wire.ACCEPTED, wire.INVALID, wire.TOO_LARGE, wire.UNAVAILABLE)
MOST_SETS = 4
MOST_OCTETS = 300


class Liar:
    def __init__(self, seed):
        self.world = World(seed)
        self.endpoint = self.world.join("here", Endpoint(Parameters(), self.world.random.bits))
        self.errors = []
        self.endpoint.on_error = self.errors.append
        self.store = MemoryStore(8, 4000, 40)
        self.ends = []
        self.begin()

    def begin(self):
        del self.endpoint.on_timer[:]
        self.reassembly = Reassembly(
            self.endpoint,
            self.store,
            self.told,
            self.on_whole,
            most_sets=MOST_SETS,
            most_segments=12,
            most_octets=MOST_OCTETS,
        )
        self.whole = []
        self.reassembly.load(self.world.now)

    def told(self, elements, now):
        messages.check(elements.copy())
        if elements[wire.MESSAGE_TYPE] == wire.IMDN:
            self.ends.append((elements[wire.MESSAGE_ID], "failed"))

    def on_whole(self, message, now):
        self.whole.append(message)

    def read(self):
        for message in self.whole:
            assert len(b"".join(message.pieces())) == message.octets <= MOST_OCTETS
            self.ends.append((message.message_id, "whole"))
            self.reassembly.remove(message)
        self.whole = []

    def number(self, most):
        return self.world.random.bits(16) % most

    def segment(self):
        elements = messages.message(
            (wire.UE, "ue1@a"), (wire.UE, "ue2@a"), "m-%d" % self.number(9), True, True
        )
        elements[wire.SEGMENTATION_SET_ID] = "s" if self.number(20) else "t"
        elements[wire.SEGMENT_NUMBER] = self.number(5) if self.number(20) else self.number(20) - 4
        if self.number(3) == 0 or elements[wire.SEGMENT_NUMBER] == 1:
            elements[wire.TOTAL_SEGMENTS] = 3 + self.number(2) if self.number(20) else self.number(99) - 9
        if self.number(4) == 0:
            elements[wire.LAST_SEGMENT_FLAG] = bool(self.number(4))
        messages.set_payload(elements, bytes([self.number(2) * 200 + 50] * self.number(150)))
        return elements


def test_anything():
    for seed in range(1, 31):
        liar = Liar(seed)
        for _ in range(150):
            elements = liar.segment()
            code, cause = liar.reassembly.take(elements, messages.encode(elements), liar.world.now)
            assert code in CODES and (cause is None) == (code == wire.ACCEPTED)
            assert len(liar.reassembly) <= MOST_SETS and len(liar.store) <= 40
            if liar.number(10) == 0:
                liar.read()
            if liar.number(10) == 0:
                liar.world.advance(liar.number(60000))
            if liar.number(40) == 0:
                liar.begin()
        liar.world.advance(2000000)
        liar.read()
        assert not liar.errors, (seed, liar.errors)
        # Each message has one end at most, and nothing is left.
        ended = [message_id for message_id, _ in liar.ends]
        assert len(ended) == len(set(ended)) and len(ended) > 0, seed
        assert len(liar.reassembly) == 0 and len(liar.store) == 0, seed
