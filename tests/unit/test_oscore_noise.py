# What somebody could send to a board that speaks OSCORE, from seeds: tests/fuzz has more, for CPython alone.

from coap_pair import A, B, Random
from msgin5g.coap import numbers as n
from msgin5g.coap.endpoint import Refused
from msgin5g.coap.message import encode, encode_options
from msgin5g.oscore.security import option_value, parse
from oscore_pair import SecuredPair, Tap


def noise(random, most):
    return bytes([random.bits(8) for _ in range(random.bits(14) % (most + 1))])


def test_any_option_value():
    random = Random(5)
    taken = 0
    for _ in range(3000):
        value = noise(random, 14)
        try:
            piv, kid_context, kid = parse(value)
        except Refused:
            continue
        taken += 1
        if piv is not None and (kid is not None or kid_context is None):
            assert bytes(option_value(piv, kid, kid_context)) == value
    assert taken > 50


def damaged(random, datagram):
    changed = bytearray(datagram)
    what = random.bits(2)
    at = random.bits(14) % len(changed)
    if what == 0:
        changed[at] ^= 1 << random.bits(3)
    elif what == 1:
        return bytes(changed[:at])
    elif what == 2:
        changed[2] = random.bits(8)
        changed[3] = random.bits(8)
    else:
        return bytes(changed[:at]) + noise(random, 4) + bytes(changed[at:])
    return bytes(changed)


def thrown(random, tap):
    choice = random.bits(2)
    if choice == 0:
        options = encode_options([(n.OSCORE, noise(random, 12))])
        return encode(
            n.CON,
            (n.GET, n.POST, n.FETCH, n.CHANGED)[random.bits(2)],
            random.bits(16),
            b"t",
            options,
            noise(random, 40),
        )
    if choice == 1:
        # A known kid, a number that was not used yet.
        options = encode_options([(n.OSCORE, b"\x0a\x7f" + bytes([random.bits(8), 1]))])
        return encode(n.CON, n.POST, random.bits(16), b"t", options, b"123456789" + noise(random, 40))
    return damaged(random, tap.datagrams[random.bits(14) % len(tap.datagrams)][0])


def test_a_conversation_in_which_somebody_interferes():
    counted = {}
    for seed in (1, 2, 3):
        pair = SecuredPair(seed=seed, parameters={"most_peers": 3}).echo()
        tap = Tap(pair)
        random = Random(seed + 40)
        for round in range(25):
            payload = b"%d" % round
            assert pair.ask(n.POST, "x", payload).payload == payload
            assert len(pair.got) == round + 1
            for _ in range(6):
                datagram = thrown(random, tap)
                address = (A, B, "c", "d", "e")[random.bits(14) % 5]
                endpoint = pair.b if random.bits(1) else pair.a
                endpoint.receive(datagram, len(datagram), address, pair.now())
                assert endpoint.occupancy()["peers"] <= 3
            # Answers to addresses where nobody is go nowhere; nothing was taken for a request.
            pair.run(100)
            assert len(pair.got) == round + 1
        for endpoint in (pair.a, pair.b):
            for name, count in endpoint.counters.items():
                counted[name] = counted.get(name, 0) + count
    for name in ("unprotected", "undecodable", "unknown_context", "replayed", "forged"):
        assert counted["oscore_" + name] > 0, name
