# Datagrams of MSGin5G-5 over CoAP that are damaged at random: the client and the gateway go on. The same on every
# runtime, by a seed.

from application_world import AS, coap_registered
from world import Random

ROUNDS = 60


def damaged(octets, random):
    octets = bytearray(octets)
    for _ in range(1 + random.bits(2)):
        if not octets:
            break
        at = random.bits(16) % len(octets)
        what = random.bits(2)
        if what == 0:
            octets[at] = random.bits(8)
        elif what == 1:
            octets = octets[:at]
        elif what == 2:
            octets = octets[:at] + octets[at + 1 :]
        else:
            octets = octets[:at] + bytes([random.bits(8)]) + octets[at:]
    return bytes(octets)


def test_damaged_datagrams_are_answered_or_ignored():
    random = Random(5)
    setup, client = coap_registered()
    seen = []

    def listen(datagram, source, destination):
        if "meter" in (source, destination):
            seen.append((bytes(datagram), source, destination))
        return False

    setup.world.drop = listen
    for number in range(ROUNDS):
        client.send(AS, "%d" % number, setup.world.now, report=True)
        setup.down("down %d" % number, "d-%d" % number)
        setup.world.advance(3000)
        for octets, source, destination in seen:
            noise = damaged(octets, random)
            setup.world.endpoints[destination].receive(noise, len(noise), source, setup.world.now)
        seen.clear()
        setup.world.advance(3000)
        seen.clear()
        assert len(client._known) <= 8 and len(client._waiting) <= 9
    setup.world.drop = None
    setup.world.advance(600000)
    client.register(setup.world.now)
    setup.world.advance(1000)
    setup.down("last", "d-last")
    setup.world.advance(60000)
    assert client.registered and client.messages[-1] == (AS, "last")
    texts = [payload for _, payload in client.messages]
    for number in range(ROUNDS):
        assert "down %d" % number in texts
    assert setup.counters()["handler_errors"] == 0 and setup.counters()["bad_messages"] > 0
