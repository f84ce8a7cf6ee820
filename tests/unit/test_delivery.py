# Store and forward towards the next hop: order, windows, pauses, forgetting, expiry, and the store as the truth.

from msgin5g import ticks
from msgin5g.coap.endpoint import Endpoint, Parameters
from msgin5g.delivery import AGAIN, DONE, HIGH, KEPT, LATER, LOW, MIDDLE, Delivery
from msgin5g.store.memory import MemoryStore
from world import World

HOP = "hop"


class Setup:
    # Transmissions are kept until the test says what became of them.
    def __init__(self, most_items=1000, **options):
        self.world = World()
        self.endpoint = self.world.join("here", Endpoint(Parameters(), self.world.random.bits))
        self.store = MemoryStore(most_items, most_items)
        self.wall = None
        self.open = []
        self.sent = []
        self.reads = 0
        pending = self.store.pending

        def counted(hop, after, most, priority):
            self.reads += 1
            return pending(hop, after, most, priority)

        self.store.pending = counted
        self.verdict = None
        self.delivery = Delivery(self.endpoint, self.store, self.send, lambda: self.wall, **options)

    def send(self, hop, item, done, now):
        if isinstance(item, list):
            # Several as one.
            self.sent.append((hop, "+".join([one.message_id for one in item])))
            self.open.append((item[0], done))
            return
        self.sent.append((hop, item.message_id))
        if self.verdict is not None:
            done(self.verdict, now)
        else:
            self.open.append((item, done))

    def put(self, message_id, originator="a", hop=HOP, expires=None, priority=MIDDLE):
        item = self.store.put(hop, originator, "MSG", message_id, 0, b"{}", expires, False, priority)
        self.delivery.add(item, self.world.now)
        return item

    def end(self, verdict=DONE, index=0):
        item, done = self.open.pop(index)
        done(verdict, self.world.now)
        return item.message_id

    def under_way(self):
        return [item.message_id for item, _ in self.open]

    def messages(self):
        return [message_id for _, message_id in self.sent]


def test_one_after_the_other():
    setup = Setup()
    for number in range(5):
        setup.put(str(number))
    for number in range(5):
        assert setup.under_way() == [str(number)]
        setup.end()
    assert setup.under_way() == [] and len(setup.store) == 0
    assert setup.messages() == ["0", "1", "2", "3", "4"]


def test_originators_travel_side_by_side_each_in_its_order():
    setup = Setup(most_under_way=3)
    for number in range(3):
        for originator in "abc":
            setup.put(originator + str(number), originator)
    assert setup.under_way() == ["a0", "b0", "c0"]
    setup.end(DONE, 1)
    assert setup.under_way() == ["a0", "c0", "b1"]
    setup.end(DONE, 2)
    assert setup.under_way() == ["a0", "c0", "b2"]
    while setup.open:
        setup.end()
    for originator in "abc":
        mine = [m for m in setup.messages() if m[0] == originator]
        assert mine == [originator + str(n) for n in range(3)]


def test_no_more_under_way_than_the_window():
    setup = Setup(most_under_way=2)
    for originator in "abcdef":
        setup.put("m", originator)
    most = 0
    while setup.open:
        most = max(most, len(setup.open))
        setup.end()
    assert most == 2 and len(setup.sent) == 6


def test_hops_have_windows_of_their_own():
    setup = Setup()
    setup.put("1", hop="x")
    setup.put("2", hop="y")
    assert setup.sent == [("x", "1"), ("y", "2")]


def test_more_stored_than_loaded():
    setup = Setup(most_under_way=2, most_loaded=4)
    for number in range(50):
        setup.put(str(number), "ab"[number & 1])
        window = setup.delivery._hops[HOP].window(MIDDLE)
        assert window.loaded <= 4
    while setup.open:
        setup.end()
        assert setup.delivery._hops[HOP].window(MIDDLE).loaded <= 4
    assert len(setup.store) == 0
    assert sorted(setup.messages()) == sorted(str(n) for n in range(50))
    assert [m for m in setup.messages() if int(m) & 1] == [str(n) for n in range(1, 50, 2)]


def test_what_comes_while_the_rest_is_read_back_keeps_its_place():
    setup = Setup(most_loaded=2)
    for number in range(6):
        setup.put(str(number))
    for number in range(6, 20):
        setup.end()
        setup.put(str(number))
    while setup.open:
        setup.end()
    assert setup.messages() == [str(n) for n in range(20)]


def test_a_message_that_finds_nothing_before_it_is_not_read_back():
    setup = Setup()
    setup.put("0")
    setup.end()
    reads = setup.reads
    for number in range(1, 10):
        setup.put(str(number))
        setup.end()
    assert setup.reads == reads


def test_what_was_stored_before_is_sent_when_resumed():
    setup = Setup()
    for number in range(3):
        setup.store.put(HOP, "a", "MSG", str(number), 0, b"{}")
    assert setup.sent == []
    setup.delivery.resume(HOP, setup.world.now)
    while setup.open:
        setup.end()
    assert setup.messages() == ["0", "1", "2"]


def pauses(setup, count):
    # How long it takes from each failure to the next attempt.
    found = []
    for _ in range(count):
        began = setup.world.now
        setup.end(LATER)
        assert setup.under_way() == []
        while not setup.open:
            assert ticks.diff(setup.world.now, began) < 200000
            setup.world.advance(10)
        found.append(ticks.diff(setup.world.now, began))
    return found


def test_pauses_double_up_to_a_minute_with_a_quarter_of_jitter():
    setup = Setup()
    setup.put("m")
    found = pauses(setup, 10)
    expected = [1000, 2000, 4000, 8000, 16000, 32000, 60000, 60000, 60000, 60000]
    for pause, base in zip(found, expected):
        # The endpoint's timers have a grain of 32 ms.
        assert base <= pause <= base * 5 // 4 + 50, found
    assert len({pause % 1000 for pause in found}) > 5, found
    assert setup.messages() == ["m"] * 11


def test_success_ends_the_doubling():
    setup = Setup()
    setup.put("m")
    pauses(setup, 4)
    setup.end(DONE)
    setup.put("n")
    assert pauses(setup, 1)[0] < 1400


def test_a_sign_of_life_ends_the_pause():
    setup = Setup()
    setup.put("m")
    pauses(setup, 5)
    setup.end(LATER)
    assert setup.delivery.waiting(HOP)
    setup.delivery.resume(HOP, setup.world.now)
    assert setup.under_way() == ["m"] and not setup.delivery.waiting(HOP)
    assert pauses(setup, 1)[0] < 1400
    # The timer of the pause that was cut short starts nothing.
    setup.world.advance(300000)
    assert len(setup.open) == 1


def test_while_paused_nothing_is_sent_and_order_is_kept():
    setup = Setup()
    setup.put("0")
    setup.end(LATER)
    for number in range(1, 5):
        setup.put(str(number))
    assert setup.under_way() == []
    setup.delivery.resume(HOP, setup.world.now)
    while setup.open:
        setup.end()
    assert setup.messages() == ["0", "0", "1", "2", "3", "4"]


def test_several_failures_at_once_are_one_pause():
    setup = Setup(most_under_way=4)
    for originator in "abcd":
        setup.put("m", originator)
    while setup.open:
        setup.end(LATER)
    assert setup.delivery._hops[HOP].failures == 1
    setup.world.advance(1400)
    assert len(setup.open) == 4


def test_again_is_at_once_and_holds_nobody_up():
    setup = Setup(most_under_way=1)
    setup.put("a0", "a")
    setup.put("a1", "a")
    setup.put("b0", "b")
    setup.end(AGAIN)
    assert not setup.delivery.waiting(HOP)
    while setup.open:
        setup.end()
    assert setup.messages() == ["a0", "b0", "a0", "a1"]


def test_an_answer_during_the_call_is_fine():
    for verdict in (DONE, LATER):
        setup = Setup(most_under_way=2)
        setup.verdict = verdict
        for number in range(5):
            setup.put(str(number))
        if verdict == DONE:
            assert len(setup.store) == 0
        else:
            assert setup.messages() == ["0"] and len(setup.store) == 5
            setup.verdict = DONE
            setup.world.advance(2000)
            assert len(setup.store) == 0


def test_forgotten_is_stored_and_not_sent():
    setup = Setup()
    setup.put("0")
    setup.put("1")
    setup.delivery.forget(HOP)
    setup.end(LATER)
    setup.world.advance(300000)
    assert setup.messages() == ["0"] and len(setup.store) == 2
    assert not setup.delivery.waiting(HOP)


def test_a_pause_is_forgotten_too():
    setup = Setup()
    setup.put("0")
    setup.end(LATER)
    setup.delivery.forget(HOP)
    setup.world.advance(300000)
    assert setup.messages() == ["0"]
    assert setup.delivery._paused == {} and setup.delivery._hops == {}


def test_accepted_after_it_was_forgotten_is_accepted():
    setup = Setup()
    setup.put("0")
    setup.delivery.forget(HOP)
    setup.end(DONE)
    assert len(setup.store) == 0
    setup.delivery.resume(HOP, setup.world.now)
    assert setup.messages() == ["0"]


def test_forgotten_and_resumed_sends_again_what_is_under_way():
    setup = Setup()
    item = setup.put("0")
    setup.put("1")
    setup.delivery.forget(HOP)
    setup.delivery.resume(HOP, setup.world.now)
    assert setup.under_way() == ["0", "0"]
    # The first transmission fails: that is not about the hop as it is now.
    setup.end(LATER)
    assert setup.delivery.under_way(item)
    assert not setup.delivery.waiting(HOP)
    setup.end(DONE)
    assert not setup.delivery.under_way(item)
    assert setup.under_way() == ["1"]
    setup.end(DONE)
    assert len(setup.store) == 0 and setup.messages() == ["0", "0", "1"]


def test_the_earlier_transmission_accepted_last():
    setup = Setup()
    setup.put("0")
    setup.put("1")
    setup.delivery.forget(HOP)
    setup.delivery.resume(HOP, setup.world.now)
    setup.end(DONE, 1)
    assert setup.under_way() == ["0", "1"]
    setup.end(DONE)
    setup.end(DONE)
    assert len(setup.store) == 0 and setup.messages() == ["0", "0", "1"]


def test_the_earlier_transmission_accepted_first():
    setup = Setup()
    setup.put("0")
    setup.put("1")
    setup.delivery.forget(HOP)
    setup.delivery.resume(HOP, setup.world.now)
    setup.end(DONE)
    # The second one is open still, and its outcome counts.
    setup.end(LATER)
    setup.world.advance(2000)
    while setup.open:
        setup.end()
    assert len(setup.store) == 0
    assert setup.delivery._under_way == {}


def test_forgetting_during_the_send():
    setup = Setup()

    def send(hop, item, done, now):
        setup.delivery.forget(hop)
        done(LATER, now)

    setup.delivery._send = send
    setup.put("0")
    assert setup.delivery._hops == {} and len(setup.store) == 1
    assert setup.delivery._under_way == {}


def test_expired_is_not_sent_and_left_to_whoever_watches():
    setup = Setup()
    setup.wall = 1000
    setup.put("late", expires=1000)
    setup.put("early", expires=1001)
    assert setup.under_way() == ["early"]
    assert len(setup.store) == 2
    assert [item.message_id for item in setup.store.expired(1000, 10)] == ["late"]


def test_what_expires_while_it_waits_is_not_sent():
    setup = Setup()
    setup.wall = 1000
    setup.put("0")
    setup.put("1", expires=1005)
    setup.put("2")
    setup.wall = 1010
    setup.end()
    assert setup.under_way() == ["2"]


def test_what_is_under_way_has_not_expired():
    setup = Setup()
    setup.wall = 1000
    item = setup.put("0", expires=1001)
    setup.wall = 2000
    assert setup.delivery.under_way(item)
    setup.end(LATER)
    assert not setup.delivery.under_way(item)
    setup.world.advance(10000)
    assert setup.messages() == ["0"]


def test_without_the_time_of_day_nothing_expires():
    setup = Setup()
    setup.put("0", expires=1)
    assert setup.under_way() == ["0"]


def test_a_timer_costs_nothing_for_hops_that_do_not_wait():
    setup = Setup()
    for number in range(100):
        setup.put("m", hop="hop-%d" % number)
    while setup.open:
        setup.end()
    assert setup.delivery._paused == {}
    setup.put("n", hop="hop-7")
    setup.end(LATER)
    assert list(setup.delivery._paused) == ["hop-7"]


def test_the_store_is_the_truth():
    # What was removed behind its back, as expiry does, is not read back.
    setup = Setup(most_loaded=2)
    items = [setup.put(str(number)) for number in range(6)]
    setup.store.remove(items[4])
    while setup.open:
        setup.end()
    assert setup.messages() == ["0", "1", "2", "3", "5"]


def test_a_refill_that_brings_only_expired_ones_goes_on():
    setup = Setup(most_loaded=2)
    setup.wall = 1000
    setup.put("0")
    for number in range(1, 8):
        setup.put(str(number), expires=1005)
    setup.put("last")
    setup.wall = 1010
    setup.end()
    assert setup.under_way() == ["last"]


def test_a_higher_priority_overtakes():
    setup = Setup(most_loaded=2)
    for number in range(6):
        setup.put("low%d" % number, priority=LOW)
    setup.put("middle")
    setup.put("high0", priority=HIGH)
    setup.put("high1", "b", priority=HIGH)
    for _ in range(9):
        setup.end()
    assert setup.messages() == ["low0", "high0", "high1", "middle"] + ["low%d" % n for n in range(1, 6)]
    assert len(setup.store) == 0


def test_what_is_kept_is_not_sent_again():
    setup = Setup()
    kept = setup.put("kept")
    setup.put("next")
    setup.end(KEPT)
    assert setup.under_way() == ["next"] and setup.delivery.under_way(kept)
    setup.end()
    setup.delivery.forget(HOP)
    setup.delivery.resume(HOP, setup.world.now)
    assert setup.messages() == ["kept", "next"] and len(setup.store) == 1
    setup.delivery.release(kept)
    assert len(setup.store) == 0 and not setup.delivery.under_way(kept)


def test_several_travel_as_one():
    setup = Setup(gather=lambda items, now: min(3, len(items)))
    setup.put("0")
    for number in range(1, 6):
        setup.put(str(number))
    setup.end()
    assert setup.messages() == ["0", "1+2+3"]
    setup.end(LATER)
    setup.world.advance(3000)
    assert setup.messages() == ["0", "1+2+3", "1+2+3"]
    setup.end()
    setup.end()
    assert setup.messages()[3:] == ["4+5"] and len(setup.store) == 0


def test_what_may_wait_for_more_waits_until_it_is_pumped():
    setup = Setup(gather=lambda items, now: len(items) if len(items) > 1 else 0)
    setup.put("a0", "a")
    setup.put("b0", "b")
    assert setup.sent == []
    setup.put("b1", "b")
    assert setup.messages() == ["b0+b1"]
    setup.delivery._gather = lambda items, now: 1
    setup.end()
    assert setup.messages() == ["b0+b1", "a0"]
    setup.end()
    assert len(setup.store) == 0


def test_what_is_taken_back_is_not_sent():
    setup = Setup()
    setup.put("0")
    back = setup.put("1")
    only = setup.put("2", "b")
    for item in (back, only):
        setup.delivery.discard(item)
        setup.store.remove(item)
    setup.end()
    setup.put("3", "b")
    setup.end()
    assert setup.messages() == ["0", "3"] and len(setup.store) == 0


def test_a_hop_that_nothing_waits_for_rests():
    # And what comes for it then is not read back from the store, in its order and bounds as ever.
    setup = Setup(most_loaded=4)
    setup.delivery.resume(HOP, setup.world.now)
    hop = setup.delivery._hops[HOP]
    assert not hop.windows
    reads = setup.reads
    setup.put("low", priority=LOW)
    setup.put("high", priority=HIGH)
    assert hop.windows and setup.reads == reads
    setup.end(KEPT)
    setup.end()
    assert not hop.windows and setup.reads == reads
    for number in range(10):
        setup.put(str(number))
    while setup.open:
        setup.end()
    assert setup.messages() == ["low", "high"] + [str(n) for n in range(10)]
    assert not hop.windows
