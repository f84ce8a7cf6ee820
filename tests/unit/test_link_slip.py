# SLIP frames with a check sequence.

import random

from msgin5g.link.slip import END, ESC, Deframer, Framer, fcs


def framed(datagram, room=64):
    framer = Framer()
    framer.start(datagram)
    buffer = bytearray(room)
    frame = b""
    while True:
        count = framer.fill(buffer)
        if not count:
            return frame
        frame += buffer[:count]


class Taker:
    def __init__(self, most_octets=1280):
        self.datagrams = []
        self.deframer = Deframer(most_octets, self.take)

    def take(self, buffer, size):
        self.datagrams.append(bytes(buffer[:size]))

    def feed(self, octets):
        self.deframer.feed(octets, len(octets))


def bits(randbits, count):
    return bytes([randbits(8) for _ in range(count)])


def test_the_check_sequence_is_the_one_of_ppp():
    # The check value that catalogues give for CRC-16/X-25.
    assert fcs(b"123456789", 9) ^ 0xFFFF == 0x906E


def test_a_frame_octet_by_octet():
    octets = bytes([0x01, END, ESC, 0x02])
    check = fcs(octets, 4) ^ 0xFFFF
    assert framed(octets) == bytes([0xC0, 0x01, 0xDB, 0xDC, 0xDB, 0xDD, 0x02, check & 255, check >> 8, 0xC0])


def test_a_check_sequence_is_escaped_too():
    found = 0
    for number in range(70000):
        octets = bytes([number >> 16, number >> 8 & 255, number & 255])
        check = fcs(octets, 3) ^ 0xFFFF
        if END in (check & 255, check >> 8) or ESC in (check & 255, check >> 8):
            found += 1
            taker = Taker()
            taker.feed(framed(octets))
            assert taker.datagrams == [octets]
            if found == 40:
                return
    raise AssertionError


def test_every_datagram_comes_back_whatever_the_pieces():
    source = random.getrandbits
    random.seed(3)
    taker = Taker()
    sent = []
    stream = b""
    for size in (1, 2, 3, 61, 62, 63, 64, 65, 200, 1280):
        for datagram in (bits(source, size), bytes([END]) * size, bytes([ESC]) * size):
            sent.append(datagram)
            stream += framed(datagram, 1 + source(6))
    place = 0
    while place < len(stream):
        piece = 1 + source(7)
        taker.feed(stream[place : place + piece])
        place += piece
    assert taker.datagrams == sent
    assert (taker.deframer.broken, taker.deframer.oversized) == (0, 0)


def test_a_frame_is_about_as_long_as_its_datagram():
    assert len(framed(bytes(1280))) == 1280 + 4
    assert len(framed(bytes([END]) * 100)) <= 2 * 102 + 2


def test_each_flipped_bit_is_noticed():
    datagram = bytes(range(40))
    frame = framed(datagram)
    for place in range(1, len(frame) - 1):
        for bit in range(8):
            damaged = bytearray(frame)
            damaged[place] ^= 1 << bit
            taker = Taker()
            taker.feed(damaged)
            assert taker.datagrams == [] and taker.deframer.broken >= 1


def test_half_a_frame_costs_itself_and_no_other():
    a, b, c = framed(b"first"), framed(b"second"), framed(b"third")
    for cut in range(1, len(a)):
        taker = Taker()
        taker.feed(a[:cut] + b + b[cut:] + c)
        assert b"third" == taker.datagrams[-1]
        assert b"second" in taker.datagrams
        for datagram in taker.datagrams:
            assert datagram in (b"first", b"second", b"third")


def test_empty_frames_mean_nothing():
    taker = Taker()
    taker.feed(bytes([END] * 10) + framed(b"x") + bytes([END] * 3))
    assert taker.datagrams == [b"x"] and taker.deframer.broken == 0


def test_too_short_to_have_a_check_sequence():
    taker = Taker()
    for octets in (b"a", b"ab", b"\xdb", b"\xdb\xdd", bytes(2)):
        taker.feed(bytes([END]) + octets + bytes([END]))
    assert taker.datagrams == [] and taker.deframer.broken == 5


def test_an_escape_that_is_none():
    frame = bytearray(framed(b"a" + bytes([ESC]) + b"b"))
    frame[3] = 0x41
    taker = Taker()
    taker.feed(frame)
    assert taker.datagrams == [] and taker.deframer.broken == 1
    taker.feed(framed(b"x"))
    assert taker.datagrams == [b"x"]


def test_the_longest_fits_and_what_is_longer_is_counted():
    taker = Taker(20)
    taker.feed(framed(bytes(20)) + framed(bytes(21)) + framed(bytes(5000)) + framed(b"x"))
    assert taker.datagrams == [bytes(20), b"x"]
    assert (taker.deframer.oversized, taker.deframer.broken) == (2, 0)
    assert len(taker.deframer._buffer) == 22


def test_a_receiver_that_fails_costs_its_own_frame():
    taker = Taker()

    def fail(buffer, size):
        taker.deframer.on_frame = taker.take
        raise MemoryError

    taker.deframer.on_frame = fail
    try:
        taker.feed(framed(b"a"))
        raise AssertionError
    except MemoryError:
        pass
    taker.feed(framed(b"b"))
    assert taker.datagrams == [b"b"]


def test_noise_between_frames_is_dropped():
    # What arrives is what was sent, in order, and never anything else; 2**-16 of the noise could pass the check.
    for seed in range(20):
        random.seed(seed)
        taker = Taker(100)
        sent = []
        for number in range(30):
            # Noise with many ENDs and ESCs in it, and then an honest frame.
            noise = bytes([(END, ESC, random.getrandbits(8))[random.getrandbits(8) % 3] for _ in range(40)])
            datagram = bits(random.getrandbits, 1 + random.getrandbits(6))
            sent.append(datagram)
            taker.feed(noise)
            # A frame that began in the noise ends with the first END of the honest one.
            taker.feed(framed(datagram))
        arrived = [datagram for datagram in taker.datagrams if datagram in sent]
        assert arrived == sent, seed
        assert len(taker.datagrams) == len(sent), seed
        assert taker.deframer.broken >= 30


def test_any_octets_at_all_leave_it_working():
    for seed in range(30):
        random.seed(seed)
        taker = Taker(64)
        for _ in range(20):
            taker.feed(bits(random.getrandbits, 1 + random.getrandbits(8)))
        taker.feed(bytes([END]))
        taker.feed(framed(b"still here"))
        assert taker.datagrams[-1] == b"still here", seed
        for datagram in taker.datagrams:
            assert len(datagram) <= 64
