# The text of a label, which `msgin5g provision --qr` makes: device.json and settings.json in one line, for a board that
# is reached by its console only. docs/provision.md has the format:
#
#     MSGIN5G1: and, in base32, the octets of the CBOR (2, most significant first), the CBOR, the CRC-32 of both (4)
#
# The CBOR is an array of what _TYPES says. This module is loaded when there is something to read.

import os
import struct
import sys
from binascii import crc32, hexlify

from .. import cbor
from . import settings as board_settings

PREFIX = "MSGIN5G1:"
# Characters; a label has 395 at most (a QR code of version 10).
MOST = 512
DEVICE = "device.json"
PINS = ("led", "led_on", "uart", "tx", "rx")
_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
_LENGTH = 2
_CRC = 4
_TYPES = (
    ("ue_service_id", str),
    ("gateway_ue_service_id", str),
    ("gateway", (str, type(None))),
    ("master_secret", bytes),
    ("master_salt", bytes),
    ("sender_id", bytes),
    ("board", str),
    ("link", str),
    # [name, password, name, password, ...]
    ("networks", list),
    # As in PINS.
    ("pins", list),
    ("ntp", (str, type(None))),
    ("channel", int),
)
FIELDS = tuple([name for name, _ in _TYPES])


class BadText(ValueError):
    # args[0] says what is wrong with it.
    pass


# -- reading


def read(text):
    # What is for device.json, and what is for settings.json. Raises BadText, and nothing else.
    if len(text) > MOST:
        raise BadText("it is longer than %d characters" % MOST)
    text = "".join(text.split()).upper()
    if not text.startswith(PREFIX):
        if text.startswith(PREFIX[:-2]) and ":" in text[:16]:
            raise BadText("it is of another version than %s: `msgin5g deploy` brings a newer one" % PREFIX)
        raise BadText("it does not begin with " + PREFIX)
    octets, whole = _octets(text[len(PREFIX) :])
    end = _LENGTH + struct.unpack(">H", octets[:_LENGTH])[0] if len(octets) >= _LENGTH else _LENGTH
    if len(octets) < end + _CRC:
        raise BadText("it is cut off: %d octets of %d are here" % (len(octets), end + _CRC))
    if len(octets) > end + _CRC:
        raise BadText("there is something behind its end")
    if not whole or struct.unpack(">I", octets[end:])[0] != crc32(octets[:end]) & 0xFFFFFFFF:
        raise BadText("a character of it is wrong (its checksum says so)")
    try:
        values = cbor.decode(octets[_LENGTH:end])
    except cbor.NotCbor as error:
        raise BadText("what is in it is no CBOR: %s" % error)
    return _files(values)


def _octets(text):
    # And whether the bits that are left over are such as they have to be.
    octets = bytearray()
    value = bits = 0
    for place, character in enumerate(text):
        number = _ALPHABET.find(character)
        if number < 0:
            raise BadText("character %d, %r, is none of base32" % (len(PREFIX) + place + 1, character))
        value = value << 5 | number
        bits += 5
        if bits >= 8:
            bits -= 8
            octets.append(value >> bits)
            value &= (1 << bits) - 1
    return bytes(octets), bits < 5 and not value


def _files(values):
    if not isinstance(values, list) or len(values) != len(_TYPES):
        raise BadText("what is in it is no array of %d" % len(_TYPES))
    told = {}
    for value, (name, kind) in zip(values, _TYPES):
        if not isinstance(value, kind) or isinstance(value, bool):
            raise BadText("%s is not what it should be" % name)
        told[name] = value
    device = {}
    for name in ("ue_service_id", "gateway_ue_service_id", "gateway"):
        if told[name] is not None:
            device[name] = told[name]
    device["oscore"] = {"recipient_id": ""}
    for name in ("master_secret", "master_salt", "sender_id"):
        device["oscore"][name] = str(hexlify(told[name]), "ascii")
    if not told["ue_service_id"] or not told["master_secret"]:
        raise BadText("ue_service_id or master_secret is empty")
    return device, _settings(told)


def _settings(told):
    pins = {}
    for name, value in zip(PINS, told["pins"]):
        if isinstance(value, (int, str)):
            pins[name] = value
    flat = told["networks"]
    settings = {
        "board": told["board"],
        "link": told["link"],
        "networks": [list(flat[at : at + 2]) for at in range(0, len(flat), 2)],
        "pins": pins,
        "ntp": told["ntp"],
        "channel": told["channel"],
    }
    wrong = board_settings.complaint(settings.copy())
    if wrong:
        raise BadText(wrong)
    return settings


# -- asking for it, at the console of a board


def ask(machine, log, stream=None, echo=print, folder=""):
    # Until there is one that can be read, or Ctrl-C. What is typed is not shown: the key is in it.
    stream = stream or sys.stdin.buffer
    echo("Paste the text of this board's label, %s... (it is not shown), or use `msgin5g provision`" % PREFIX)
    try:
        found = None
        while found is None:
            line = _line(stream)
            if line is None:
                return
            if not line:
                continue
            try:
                found = read(line)
            except BadText as bad:
                echo("That is no label: %s. Again, please" % bad.args[0])
        device, settings = found
        # The settings last: as long as there are none, it is asked for.
        _write(folder + DEVICE, device)
        _write(folder + board_settings.FILE, settings)
    except KeyboardInterrupt:
        return
    except OSError as error:
        log.complain("what is on the label can't be written: %r" % error)
        return
    log.tell("provisioned as", device["ue_service_id"])
    log.flush()
    machine.soft_reset()


def _line(stream):
    # None at the end of what comes. Of a line that is too long one more character than may be is kept.
    line = bytearray()
    while True:
        octet = stream.read(1)
        if not octet:
            return None
        if octet in (b"\r", b"\n"):
            return str(line, "ascii")
        # What is no character that one sees is somebody's key stroke, or noise.
        if len(line) <= MOST and 32 <= octet[0] < 127:
            line.extend(octet)


def _write(name, content):
    import json

    with open(name + ".new", "w") as file:
        json.dump(content, file)
    try:
        os.remove(name)
    except OSError:
        # There is none yet.
        pass
    os.rename(name + ".new", name)
