# The text of a label as a board reads it: good ones, bad ones, and the console at which it is asked for.

import json
import os

import flash
from msgin5g import cbor
from msgin5g.board import paste
from msgin5g.board import settings as board_settings
from msgin5g_testing import machine

VALUES = [
    "meter-17@example.org",
    "gateway-1@example.org",
    "192.168.4.1:5683",
    bytes(range(16)),
    bytes(range(8)),
    b"\5",
    "ESP32_GENERIC",
    "wifi",
    ["site", "a password"],
    [2, 1, 2, 17, 16],
    None,
    1,
]
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"


def text_of(octets):
    bits = "".join(["{:08b}".format(octet) for octet in octets])
    bits += "0" * (-len(bits) % 5)
    characters = [ALPHABET[int(bits[at : at + 5], 2)] for at in range(0, len(bits), 5)]
    return paste.PREFIX + "".join(characters)


def label(values=VALUES, wrong=0):
    encoded = values if isinstance(values, bytes) else cbor.encode(values)
    octets = len(encoded).to_bytes(2, "big") + encoded
    return text_of(octets + (paste.crc32(octets) & 0xFFFFFFFF ^ wrong).to_bytes(4, "big"))


def changed(name, value):
    values = list(VALUES)
    values[paste.FIELDS.index(name)] = value
    return label(values)


def refused(text):
    try:
        paste.read(text)
    except paste.BadText as bad:
        return bad.args[0]
    return None


def test_both_files_are_in_it():
    device, settings = paste.read(label())
    assert device == {
        "ue_service_id": "meter-17@example.org",
        "gateway_ue_service_id": "gateway-1@example.org",
        "gateway": "192.168.4.1:5683",
        "oscore": {
            "master_secret": "000102030405060708090a0b0c0d0e0f",
            "master_salt": "0001020304050607",
            "sender_id": "05",
            "recipient_id": "",
        },
    }
    assert settings["networks"] == [["site", "a password"]] and settings["link"] == "wifi"
    assert settings["pins"] == {"led": 2, "led_on": 1, "uart": 2, "tx": 17, "rx": 16}
    assert board_settings.complaint(settings) is None


def test_capitals_and_white_space_do_not_matter():
    text = label()
    assert paste.read("  " + text.lower()[:40] + "\r\n " + text[40:] + "\n") == paste.read(text)


def test_a_gateway_that_is_looked_for_has_no_address():
    assert "gateway" not in paste.read(changed("gateway", None))[0]


def test_each_thing_that_is_wrong_with_a_text_is_named():
    text = label()
    assert refused("") == "it does not begin with MSGIN5G1:"
    assert refused("WIFI:S:site;;") == "it does not begin with MSGIN5G1:"
    assert "another version" in refused("MSGIN5G2:" + text[9:])
    assert refused(paste.PREFIX + "A" * 600) == "it is longer than 512 characters"
    assert "cut off: 0 octets" in refused(paste.PREFIX)
    assert "cut off" in refused(text[:-2])
    assert "cut off" in refused(text[: len(text) // 2])
    assert "something behind its end" in refused(text + "AAAA")
    assert refused(text[:20] + "1" + text[21:]) == "character 21, '1', is none of base32"
    assert "checksum" in refused(label(wrong=1))
    assert "no CBOR" in refused(label(b"\xff\xff"))
    assert "no array of 12" in refused(label({1: 2}))
    assert "no array of 12" in refused(label(VALUES[:-1]))


def test_each_value_that_is_wrong_is_named():
    for number, name in enumerate(paste.FIELDS):
        for value in (True, {}):
            assert name in refused(changed(name, value)), (name, value)
        assert refused(label(VALUES[:number] + [-1] + VALUES[number + 1 :]))
    assert "empty" in refused(changed("ue_service_id", ""))
    assert "empty" in refused(changed("master_secret", b""))
    assert "link = 'radio'" in refused(changed("link", "radio"))
    assert "networks" in refused(changed("networks", ["site"]))
    assert "needs one" in refused(changed("networks", []))


def test_any_character_that_is_changed_is_noticed():
    text = label()
    for place in range(len(text)):
        for other in "A7$":
            if text[place] != other:
                assert refused(text[:place] + other + text[place + 1 :]), place


def test_any_end_that_is_missing_is_noticed():
    text = label()
    for end in range(len(text)):
        assert refused(text[:end]), end


def test_noise_is_refused_and_nothing_else():
    # The same noise in every run.
    state = 1
    for _ in range(300):
        octets = bytearray()
        for _ in range(state % 60):
            state = (state * 1103515245 + 12345) & 0x7FFFFFFF
            octets.append(state >> 16 & 255)
        state = (state * 1103515245 + 12345) & 0x7FFFFFFF
        assert refused(text_of(octets))
        # With a checksum that is right.
        refused(label(bytes(octets)))


# -- the console


class Typed:
    def __init__(self, octets):
        self._octets = octets
        self._at = 0

    def read(self, size):
        self._at += size
        return self._octets[self._at - size : self._at]


class Log:
    def __init__(self):
        self.lines = []

    def tell(self, *words):
        self.lines.append(" ".join(words))

    complain = tell

    def flush(self):
        pass


def _empty():
    where = flash.folder() + "/"
    os.mkdir(where[:-1])
    return where


def asked(typed, where):
    said = []
    log = Log()
    restarted = False
    try:
        paste.ask(machine, log, Typed(typed), said.append, where)
    except machine.Reset:
        restarted = True
    return restarted, said[1:], log.lines


def test_it_is_asked_for_until_it_can_be_read():
    where = _empty()
    text = label().encode()
    typed = b"\r\x14hello\r\n" + text[:-4] + b"\r" + b"x" * 5000 + b"\r\n" + text + b"\r"
    restarted, said, log = asked(typed, where)
    assert restarted and log == ["provisioned as meter-17@example.org"]
    assert [line.split(":")[1][:20] for line in said] == [
        " it does not begin w",
        " it is cut off",
        " it is longer than 5",
    ]
    assert "000102" not in str(said) + str(log)
    with open(where + "device.json") as file:
        assert json.load(file) == paste.read(label())[0]
    with open(where + "settings.json") as file:
        assert json.load(file) == paste.read(label())[1]


def test_the_end_of_the_console_is_the_end():
    where = _empty()
    assert asked(label().encode()[:-1], where) == (False, [], [])
    assert os.listdir(where) == []


def test_somebody_comes_to_the_prompt():
    class Interrupted:
        def read(self, size):
            raise KeyboardInterrupt

    paste.ask(machine, Log(), Interrupted(), lambda line: None)


def test_a_flash_that_takes_nothing_is_named():
    restarted, said, log = asked(label().encode() + b"\r", "no-such-folder/")
    assert not restarted and log[0].startswith("what is on the label can't be written: ")
