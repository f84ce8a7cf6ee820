# The devices of a gateway on a board: who may speak to it, each by a key of its own (host: host_tools/security/).
#
# A file has a line of JSON for each: what `msgin5g enrol` or enrol() gave the device, its device.json, in one line; or
# {"revoked": UE Service ID}. The last line about a device counts. A file that was made elsewhere can be put there
# before the gateway starts; while it runs it is changed by enrol() and revoke() only.

import json
import os
from binascii import hexlify, unhexlify

from . import forget, provisioning
from .coap import numbers as coap
from .coap.exchange import Refused
from .oscore.contexts import Contexts, NoContext
from .store import INCOMING
from .store.durable import sync, sync_folder

REVOKED = "oscore_revoked"

_SECRET_OCTETS = 16
_SALT_OCTETS = 8
_LONGEST_NAME = 255
_LONGEST_KID = 7
# With more lines than that for each device the file is written anew.
_MOST_LINES = 4
_ENOENT = 2


class NotEnrolled(Exception):
    # args[0] says why a device can't be enrolled or revoked, and what can be done.
    pass


class Devices:
    # file: need not be there yet. gateway: its UE Service ID. most: devices, revoked ones too. tell(text): what is
    # wrong with the file; never a key. OSError when it can't be read.
    def __init__(self, file, gateway, most, tell):
        self.gateway = gateway
        self.most = most
        # Lines that can't be used.
        self.bad = 0
        self._file = file
        self._tell = tell
        # UE Service ID -> (kid, where its line begins, -1 when it is revoked); kid -> UE Service ID.
        self._devices = {}
        self._names = {}
        # Does the file end in the midst of a line, which a power cut has cut off?
        self._torn = False
        lines = self._read()
        if lines > _MOST_LINES * most:
            self._write_anew()

    def __len__(self):
        return len(self._devices)

    def all(self):
        # (UE Service ID, is it revoked?), by name
        return sorted([(name, device[1] < 0) for name, device in self._devices.items()])

    def kid(self, name):
        # What it calls itself by in OSCORE; None when it is not known.
        device = self._devices.get(name)
        return device[0] if device else None

    def find(self, kid):
        # (its name, its keys), keys None when it is revoked; None when nobody is called that.
        name = self._names.get(kid)
        if name is None:
            return None
        place = self._devices[name][1]
        return name, None if place < 0 else self._line(place)["oscore"]

    def enrol(self, name, address=None):
        # Returns what the device is to be given. address: host:port of this gateway as the device reaches it, None when
        # it is to find it. OSError when that can't be stored.
        known = self._devices.get(name)
        if known and known[1] >= 0:
            raise NotEnrolled("%s is enrolled already; for another key revoke it first" % name)
        cause = self._why_not(name)
        if cause:
            raise NotEnrolled(cause)
        kid = known[0] if known else self._new_kid()
        device = {
            "ue_service_id": name,
            "gateway_ue_service_id": self.gateway,
            "oscore": {
                "master_secret": _hex(os.urandom(_SECRET_OCTETS)),
                "master_salt": _hex(os.urandom(_SALT_OCTETS)),
                "sender_id": _hex(kid),
                "recipient_id": "",
            },
        }
        if address:
            device["gateway"] = address
        self._enter(name, kid, self._append(device))
        return device

    def revoke(self, name):
        # From now on it is refused. OSError when that can't be stored.
        device = self._devices.get(name)
        if device is None:
            raise NotEnrolled(name + " is not enrolled")
        if device[1] < 0:
            raise NotEnrolled(name + " is revoked already")
        self._append({"revoked": name})
        self._enter(name, device[0], -1)

    # -- the file

    def _read(self):
        # How many lines it has.
        number = place = 0
        try:
            file = open(self._file, "rb")
        except OSError as error:
            if error.errno != _ENOENT:
                raise
            return 0
        with file:
            while True:
                line = file.readline()
                if not line:
                    return number
                number += 1
                self._torn = line[-1:] != b"\n"
                cause = self._take(line, place) if line.strip() else None
                if cause:
                    self.bad += 1
                    self._tell("%s, line %d: %s" % (self._file, number, cause))
                place += len(line)

    def _take(self, line, place):
        # Why a line can't be used, None when it can. MicroPython takes JSON that is cut off.
        if line.count(b"{") != line.count(b"}"):
            return "cut off"
        try:
            device = json.loads(line)
            revoked = device.get("revoked")
            if revoked is not None:
                if revoked in self._devices:
                    self._enter(revoked, self._devices[revoked][0], -1)
                    return None
                return "not enrolled before"
            name, keys = device["ue_service_id"], device["oscore"]
            kid = unhexlify(keys["sender_id"])
            secret = unhexlify(keys["master_secret"])
            unhexlify(keys.get("master_salt") or "")
        except (ValueError, KeyError, TypeError, AttributeError):
            return "not what `msgin5g enrol` gives a device"
        cause = self._why_not(name)
        if cause:
            return cause
        if not 0 < len(kid) <= _LONGEST_KID or not secret:
            return "%s: a key without sender_id or master_secret" % name
        if self._names.get(kid, name) != name:
            return "%s has the sender_id of %s" % (name, self._names[kid])
        if device.get("gateway_ue_service_id", self.gateway) != self.gateway:
            return "%s was enrolled at %s" % (name, device["gateway_ue_service_id"])
        self._enter(name, kid, place)
        return None

    def _why_not(self, name):
        if not isinstance(name, str) or not 0 < len(name.encode()) <= _LONGEST_NAME:
            return "a UE Service ID has 1 to %d octets" % _LONGEST_NAME
        if name == self.gateway or name in INCOMING:
            return name + " can't be a device's name here"
        if name not in self._devices and len(self._devices) >= self.most:
            return "%s: no more than %d devices (most_devices)" % (name, self.most)
        return None

    def _enter(self, name, kid, place):
        before = self._devices.get(name)
        if before:
            self._names.pop(before[0], None)
        self._names[kid] = name
        self._devices[name] = (kid, place)

    def _line(self, place):
        with open(self._file, "rb") as file:
            file.seek(place)
            return json.loads(file.readline())

    def _append(self, entry):
        # Returns where it is.
        new = not self._devices
        with open(self._file, "ab") as file:
            # In the midst of a line nothing is begun.
            if self._torn:
                file.write(b"\n")
            self._torn = True
            place = file.seek(0, 2)
            file.write(json.dumps(entry).encode() + b"\n")
            sync(file)
        if new:
            self._readable_by_nobody_else(self._file)
            sync_folder(self._file.rpartition("/")[0] or ".")
        self._torn = False
        return place

    def _write_anew(self):
        # One line for each that is enrolled, two for one that is revoked; all or nothing.
        name = self._file + ".new"
        places = {}
        with open(self._file, "rb") as old, open(name, "wb") as file:
            self._readable_by_nobody_else(name)
            for ue, (kid, place) in self._devices.items():
                places[ue] = (kid, file.seek(0, 2) if place >= 0 else -1)
                if place >= 0:
                    old.seek(place)
                    file.write(old.readline().strip() + b"\n")
                else:
                    # Its name keeps its kid, and no key is left of it.
                    keys = {"sender_id": _hex(kid), "master_secret": "00"}
                    file.write(json.dumps({"ue_service_id": ue, "oscore": keys}).encode() + b"\n")
                    file.write(json.dumps({"revoked": ue}).encode() + b"\n")
            sync(file)
        os.rename(name, self._file)
        sync_folder(self._file.rpartition("/")[0] or ".")
        self._devices = places
        self._torn = False

    def _readable_by_nobody_else(self, name):
        # Where that can be said.
        if hasattr(os, "chmod"):
            os.chmod(name, 0o600)

    def _new_kid(self):
        # The shortest that nobody has; none is the gateway's own.
        size = 1
        while True:
            for number in range(1 << (size << 3)):
                kid = number.to_bytes(size, "big")
                if kid not in self._names:
                    return kid
            size += 1


class DeviceContexts(Contexts):
    # What the endpoint towards the devices is secured by. numbers: the storage of all contexts (store/numbers.py).
    def __init__(self, devices, numbers, open_paths=()):
        super().__init__(self._load_device, devices.most, open_paths)
        self.devices = devices
        # Called with the UE Service ID of a device that is revoked.
        self.on_revoked = _nobody_listens
        self._numbers = numbers

    def join(self, endpoint):
        super().join(endpoint)
        endpoint.counters[REVOKED] = 0

    def enrol(self, name, address=None):
        device = self.devices.enrol(name, address)
        self._drop(name)
        return device

    def revoke(self, name):
        self.devices.revoke(name)
        self._drop(name)
        self.on_revoked(name)

    def of(self, name, address):
        # Wherever it is.
        kid = self.devices.kid(name)
        try:
            context = self.find(kid, None) if kid is not None else None
        except Refused:
            context = None
        if context is None:
            raise NoContext
        return context

    def _drop(self, name):
        key = (self.devices.kid(name), None)
        self._contexts.pop(key, None)
        self._used.pop(key, None)

    def _load_device(self, kid, kid_context):
        found = self.devices.find(bytes(kid))
        if found is None:
            return None
        name, keys = found
        if keys is None:
            raise Refused(REVOKED, coap.UNAUTHORIZED, b"Security context not found")
        credentials = {
            "master_secret": keys["master_secret"],
            "master_salt": keys.get("master_salt"),
            # As the gateway sees it.
            "sender_id": "",
            "recipient_id": keys["sender_id"],
        }
        context = provisioning.context(credentials, self.devices.gateway, name, self._numbers)
        forget("msgin5g.oscore.derive")
        return context


def _hex(octets):
    return str(hexlify(octets), "ascii")


def _nobody_listens(ue_service_id):
    pass
