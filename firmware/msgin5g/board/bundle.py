# A bundle: the files of an application, signed for one device. Loaded when one has come.
#
#     "5GU1"       what it is
#     32 octets    HMAC-SHA-256 of all that follows
#     4 octets     number of the version; only a greater one than that of the last bundle is taken
#     files: octets of the name (1), octets of the file (4), the name, the file
#
# Numbers are big-endian. The key of the signature comes from the device's master secret by HKDF (RFC 5869), beside
# those of OSCORE and apart from them. Nothing is written before the signature is right: a bundle is read twice.

import os
import struct
from binascii import unhexlify

from ..oscore.derive import hmac
from ..store.durable import sync

MAGIC = b"5GU1"
SIGNATURE = 32
# What it begins with, and what is before each file.
HEAD = ">I"
FILE = ">BI"
# One of these has to be in it.
MAIN = ("app.py", "app.mpy")
MOST_FILES = 32
MOST_NAME = 64
_LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-."
_MOST_FOLDERS = 3
_LABEL = b"msgin5g update\x01"


class Refused(Exception):
    # args[0] says why.
    pass


def key(credentials):
    # Of bundles for the device with these (provisioning.py: "oscore").
    salt = unhexlify(credentials.get("master_salt") or "")
    return hmac(hmac(salt, (unhexlify(credentials["master_secret"]),)), (_LABEL,))


def is_name(name):
    # Of a file in a folder, or in a folder of it: nothing else can be written.
    parts = name.split("/")
    return (
        0 < len(name) <= MOST_NAME
        and len(parts) <= _MOST_FOLDERS + 1
        and all([part and part[0] != "." and not part.strip(_LETTERS) for part in parts])
    )


class Bundle:
    # pieces() -> its octets, piece by piece; the same each time.
    def __init__(self, pieces, signed_with):
        self._pieces = pieces
        reader = _Reader(pieces())
        if reader.read(len(MAGIC)) != MAGIC:
            raise Refused("it is no bundle")
        self.signature = reader.read(SIGNATURE)
        if not _same(self.signature, hmac(signed_with, reader.rest())):
            raise Refused(
                "its signature is wrong: it was signed for another device, or with a key that has changed"
            )
        self.version = self._open()[1]

    def _open(self):
        reader = _Reader(self._pieces())
        reader.read(len(MAGIC) + SIGNATURE)
        return reader, struct.unpack(HEAD, reader.read(4))[0]

    def unpack(self, folder):
        # Into a folder that is there and empty; durable when this returns. OSError when there is no room for it.
        reader = self._open()[0]
        names = []
        while not reader.ended():
            length, octets = struct.unpack(FILE, reader.read(5))
            name = _text(reader.read(length))
            if not is_name(name) or name in names:
                raise Refused("there can be no file %r" % name)
            if len(names) == MOST_FILES:
                raise Refused("it has more than %d files" % MOST_FILES)
            names.append(name)
            _make_folders(folder, name)
            with open(folder + "/" + name, "wb") as file:
                for piece in reader.parts(octets):
                    if file.write(piece) != len(piece):
                        raise OSError(28, "written in part")
                sync(file)
        if not any([name in MAIN for name in names]):
            raise Refused("there is no app.py in it")


class _Reader:
    # Of what comes in pieces, of any size.
    def __init__(self, pieces):
        self._pieces = pieces
        self._piece = memoryview(b"")

    def ended(self):
        while not self._piece:
            try:
                self._piece = memoryview(next(self._pieces))
            except StopIteration:
                return True
        return False

    def parts(self, length):
        while length:
            if self.ended():
                raise Refused("it ends early")
            part = self._piece[:length]
            self._piece = self._piece[len(part) :]
            length -= len(part)
            yield part

    def read(self, length):
        # Of what is short.
        return b"".join([bytes(part) for part in self.parts(length)])

    def rest(self):
        while not self.ended():
            part = self._piece
            self._piece = memoryview(b"")
            yield part


def _same(one, other):
    # It takes as long for any two of the same length.
    difference = len(one) ^ len(other)
    for a, b in zip(one, other):
        difference |= a ^ b
    return not difference


def _text(octets):
    try:
        return str(octets, "utf-8")
    except UnicodeError:
        return ""


def _make_folders(folder, name):
    for part in name.split("/")[:-1]:
        folder += "/" + part
        try:
            os.mkdir(folder)
        except OSError:
            # It is there; if not so, the file can't be written.
            pass
