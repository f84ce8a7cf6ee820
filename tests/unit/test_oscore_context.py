# What a context remembers: sequence numbers that outlive power cuts, replay windows; the contexts of many peers; AEAD.

import flash
from msgin5g.coap import numbers as n
from msgin5g.oscore.context import LOST
from msgin5g.oscore.contexts import Contexts, NoContext
from msgin5g.oscore.derive import from_credentials, keys
from msgin5g.oscore.security import option_value, parse
from msgin5g.store.counter import Counter
from oscore_pair import SecuredPair, Storage, credentials, two_contexts
from skipping import SkipTest


def context(storage=None, **options):
    return from_credentials(credentials("01", "02"), storage or Storage(), "peer", **options)


def number(piv):
    return int.from_bytes(piv, "big")


# -- sequence numbers


def test_numbers_are_saved_ahead():
    storage = Storage()
    one = context(storage, stride=4)
    assert storage.saved == [4]
    assert [number(one.take_piv()) for _ in range(9)] == list(range(9))
    assert storage.saved == [4, 8, 12]
    # After a restart: beyond all that may have been used.
    again = context(storage, stride=4)
    assert storage.saved == [4, 8, 12]
    assert number(again.take_piv()) == 12 and storage.saved[-1] == 16


def test_partial_ivs_are_as_short_as_can_be():
    storage = Storage()
    for start, octets in (
        (255, b"\xff"),
        (256, b"\x01\x00"),
        (65536, b"\1\0\0"),
        (LOST - 64, b"\xff" * 4 + b"\xc0"),
    ):
        storage.saved = [start]
        assert context(storage).take_piv() == octets
    storage.saved = []
    assert context(storage).take_piv() == b"\x00"


def test_there_is_a_last_number():
    storage = Storage()
    storage.saved = [LOST - 64]
    one = context(storage)
    for _ in range(64):
        last = one.take_piv()
    assert number(last) == LOST - 1
    try:
        one.take_piv()
        raise AssertionError("a number too many")
    except OverflowError:
        pass


def test_two_contexts_of_one_key_never_use_the_same_number():
    storage = Storage()
    first = context(storage, stride=4)
    used = [number(first.take_piv()) for _ in range(3)]
    second = context(storage, stride=4)
    for _ in range(10):
        used.append(number(first.take_piv()))
        used.append(number(second.take_piv()))
    assert len(set(used)) == len(used)


class Cut(Exception):
    pass


class PowerCut(Storage):
    # Power fails at a save: before the number is safe, or right after.
    def __init__(self, at, safe):
        super().__init__()
        self.at = at
        self.safe = safe

    def save(self, number):
        self.at -= 1
        if self.at == 0 and not self.safe:
            raise Cut
        super().save(number)
        if self.at == 0:
            raise Cut


def test_no_number_comes_twice_wherever_power_fails():
    for at in range(1, 8):
        for safe in (False, True):
            storage = PowerCut(at, safe)
            used = []
            for _ in range(3):
                try:
                    one = context(storage, stride=3)
                    for _ in range(10):
                        used.append(number(one.take_piv()))
                except Cut:
                    pass
            assert len(set(used)) == len(used) and len(used) >= 10, (at, safe)


def used_until_it_fails(storage, used):
    try:
        one = context(storage, stride=3)
        for _ in range(10):
            used.append(number(one.take_piv()))
    except OSError:
        pass


def test_no_number_comes_twice_wherever_a_board_loses_power():
    # At each write and erasure of the flash under the file system, in the midst of it.
    if not flash.MICROPYTHON:
        raise SkipTest("CPython has no file system in RAM")
    cut = 0
    while True:
        device = flash.Device(blocks=64)
        path = flash.mount(device) + "/numbers"
        used = []
        used_until_it_fails(Counter(path), used)
        device.fails_at = cut
        used_until_it_fails(Counter(path), used)
        done = not device.dead
        device.dead, device.fails_at = False, None
        flash.mount(device, fresh=False)
        used_until_it_fails(Counter(path), used)
        flash.unmount()
        assert len(set(used)) == len(used) and len(used) >= 20, (cut, used)
        if done:
            break
        cut += 1
    assert cut > 5


def test_a_damaged_counter_leaves_out_what_may_have_been_used():
    path = flash.folder()
    used = []
    used_until_it_fails(Counter(path), used)
    newest = "%s.%d" % (path, Counter(path).load() // 3 & 1)
    with open(newest, "wb") as file:
        file.write(b"damaged")
    used_until_it_fails(Counter(path), used)
    assert len(used) == 20 and len(set(used)) == 20


# -- the replay window


def taken(one, *numbers):
    # Those of them that are new, as they come.
    accepted = []
    for value in numbers:
        if not one.is_replay(value):
            one.accept(value)
            accepted.append(value)
    return accepted


def test_each_number_once():
    one = context()
    assert taken(one, 0, 0, 1, 1, 0, 5, 3, 5, 3, 4, 2, 2) == [0, 1, 5, 3, 4, 2]


def test_the_edges_of_the_window():
    one = context()
    assert taken(one, 100) == [100]
    # 32 numbers: 100 and the 31 below it.
    assert taken(one, 68, 69, 69, 100) == [69]
    assert taken(one, 101) == [101] and one.is_replay(69) and not one.is_replay(70)
    # A leap forgets what is behind, one of exactly the window too.
    assert taken(one, 133) == [133] and one.is_replay(101) and not one.is_replay(102)
    assert taken(one, 133 + 31) == [164] and one.is_replay(133) and not one.is_replay(134)
    assert taken(one, LOST - 1, 164, LOST - 32, LOST - 33) == [LOST - 1, LOST - 32]


def test_a_wider_window():
    one = context(window=4096)
    assert taken(one, 5000, 905, 904, 905) == [5000, 905]


def test_after_a_restart_nothing_is_known_to_be_new():
    storage = Storage()
    assert context(storage).floor == 0
    assert context(storage).floor == LOST


def test_old_requests_after_a_restart():
    # A request from before is no longer refused by number, but it can't have the Echo option.
    pair = SecuredPair().echo()
    old = []
    pair.wire.drop = lambda datagram, source, destination: (
        old.append(bytes(datagram)) if source == "a" else None
    )
    pair.ask(n.POST, "x", b"unlock")
    pair.restart_b()
    pair.echo()
    for _ in range(3):
        pair.wire.send(old[0], "attacker", "b")
        pair.run(300000)
    assert pair.got == [] and pair.b.counters["oscore_challenged"] == 3
    pair.ask(n.POST, "x", b"lock")
    pair.wire.send(old[0], "attacker", "b")
    pair.run(300000)
    assert [payload for payload, _ in pair.got] == [b"lock"]
    # Each challenge had a number of its own: the request's may have been used by its first answer.
    assert pair.contexts[1]._next >= 64 + 4


# -- many contexts


class Database:
    def __init__(self, count):
        self.storages = [Storage() for _ in range(count)]
        self.loads = 0

    def load(self, kid, kid_context):
        self.loads += 1
        which = number(kid)
        if which >= len(self.storages):
            return None
        stored = credentials("ff", "%04x" % which, id_context="aa")
        return from_credentials(stored, self.storages[which], "ue%d" % which)


def test_contexts_are_loaded_when_they_are_heard_of():
    database = Database(20)
    contexts = Contexts(database.load, most=8)
    first = contexts.find(b"\0\1", b"\xaa")
    assert first.name == "ue1" and contexts.find(b"\0\1", b"\xaa") is first and database.loads == 1
    # Named without its ID context it is the same.
    assert contexts.find(b"\0\1", None) is first
    assert contexts.find(b"\0\x63", b"\xaa") is None
    for which in range(20):
        contexts.find(bytes((0, which)), b"\xaa")
        contexts.find(b"\0\1", b"\xaa")
        assert contexts.held() <= 8
    # Who is heard of stays.
    assert contexts.find(b"\0\1", b"\xaa") is first


def test_a_context_whose_peer_does_not_name_its_id_context_is_loaded_once():
    database = Database(20)
    made = []

    def load(kid, kid_context):
        context = database.load(kid, kid_context)
        context.kid_context = None
        made.append(context)
        return context

    contexts = Contexts(load)
    first = contexts.find(b"\0\1", None)
    for _ in range(5):
        assert contexts.find(b"\0\1", None) is first
    contexts.heard(first, "there")
    assert contexts.at("there") is first and contexts.of("ue1", "there") is first
    assert len(made) == 1
    # Who names it all the same is the same; who names another one is nobody.
    assert contexts.find(b"\0\1", b"\xaa") is first
    assert contexts.find(b"\0\1", b"\xbb") is None
    assert contexts.held() == 1
    try:
        contexts.of("ue2", "there")
        raise AssertionError("somebody else is there")
    except NoContext:
        pass


def test_contexts_by_address():
    database = Database(20)
    contexts = Contexts(database.load, most=4)
    one, two = contexts.find(b"\0\1", b"\xaa"), contexts.find(b"\0\2", b"\xaa")
    contexts.heard(one, "there")
    assert contexts.at("there") is one
    contexts.heard(two, "there")
    assert contexts.at("there") is two
    try:
        contexts.at("elsewhere")
        raise AssertionError("whose is that?")
    except NoContext:
        pass
    for which in range(20):
        contexts.heard(contexts.find(bytes((0, which)), b"\xaa"), which)
    # It is loaded again, and never uses a number again.
    again = contexts.at("there") if "there" in contexts._addresses else contexts.at(19)
    assert again is not None and len(contexts._addresses) <= 8


# -- keys, options


def test_long_salts_and_id_contexts():
    # RFC 2104 hashes a key of more than 64 octets; CBOR has a longer head from 24 octets on.
    short = keys(b"secret", b"salt", b"1", b"2", None)
    assert keys(b"secret", bytes(65), b"1", b"2", None) != short
    assert keys(b"secret", b"", b"1", b"2", None) == keys(b"secret", bytes(64), b"1", b"2", None)
    assert keys(b"secret", b"", b"1", b"2", b"") != keys(b"secret", b"", b"1", b"2", None)
    assert len({keys(b"secret", b"", b"1", b"2", bytes(size)) for size in (22, 23, 24, 25, 255)}) == 5


def test_credentials_that_can_not_be_right():
    for sender, recipient in (("01", "01"), ("0102030405060708", "01"), ("", "")):
        try:
            from_credentials(credentials(sender, recipient), Storage())
            raise AssertionError((sender, recipient))
        except ValueError:
            pass


def test_option_values():
    for piv, kid, kid_context in (
        (b"\0", b"", None),
        (b"\1\2\3\4\5", b"1234567", None),
        (b"\1", b"\2", b""),
        (b"\1", b"", b"context that is long"),
    ):
        assert parse(bytes(option_value(piv, kid, kid_context))) == (piv, kid_context, kid)
    assert parse(bytes(option_value(b"\7"))) == (b"\7", None, None)
    assert parse(b"") == (None, None, None)


def test_sizes_of_plaintext():
    # Around the block of the cipher, on whatever does it here.
    one, two = two_contexts()
    for size in list(range(1, 50)) + [255, 256, 257, 1100]:
        plain = bytes([at & 0xFF for at in range(size)])
        buffer = memoryview(bytearray(plain + bytes(8)))
        sealed = bytes(one.sender.seal(bytes(13), b"aad", buffer, size))
        assert len(sealed) == size + 8
        into = bytearray(size + 3)
        assert two.recipient.open(bytes(13), b"aad", sealed, into, 3) == size
        assert into == b"\0\0\0" + plain
        assert two.recipient.open(bytes(13), b"aae", sealed, into, 3) == -1
        for at in (0, size - 1, size, size + 7):
            changed = bytearray(sealed)
            changed[at] ^= 1
            assert two.recipient.open(bytes(13), b"aad", bytes(changed), into, 3) == -1
