# What a device was given before it went out: its UE Service ID, its gateway, its key. A JSON file, readable by nobody
# else where that can be said:
#
#     {"ue_service_id": "meter-17@example.org",
#      "gateway": "192.168.4.1:5683", "gateway_ue_service_id": "gateway-1@example.org",
#      "oscore": {"master_secret": hexadecimal, "master_salt": ..., "sender_id": ..., "recipient_id": ...}}
#
#     ue = provisioning.client("device.json")
#
# Without "gateway" one is looked for, among those that know this device.
#
# The ID Context of OSCORE is the UE Service ID of the gateway: so each gateway has keys of its own, from one master
# secret, and none can speak for another. Nobody tells it in messages.

from binascii import hexlify

from . import forget, wire
from .client import Client
from .oscore.security import Security
from .store.counter import Counter


class NotProvisioned(Exception):
    # args[0] says what is wrong with the file.
    pass


class DeviceSecurity(Security):
    # The contexts of one device with its gateways, one at a time.
    def __init__(self, credentials, storage, open_paths=()):
        super().__init__(None, open_paths)
        self._credentials = credentials
        self._storage = storage

    def use(self, gateway):
        # gateway: its UE Service ID.
        if self.context is None or self.context.name != gateway:
            self.context = context(self._credentials, gateway, gateway, self._storage)
            forget("msgin5g.oscore.derive")


def context(credentials, gateway, name, storage, window=32):
    # A device's with a gateway, or (with sender_id and recipient_id exchanged) the gateway's with the device.
    from .oscore.derive import from_credentials

    stored = credentials.copy()
    stored["id_context"] = str(hexlify(gateway.encode()), "ascii")
    made = from_credentials(stored, storage, name, window)
    made.kid_context = None
    return made


def read(file="device.json"):
    from . import json_file

    device = json_file.read(file, NotProvisioned, "`msgin5g enrol` writes one")
    forget("msgin5g.json_file")
    for key in ("ue_service_id", "oscore"):
        if key not in device:
            raise NotProvisioned(key + " is missing in " + file)
    for key in ("sender_id", "recipient_id", "master_secret"):
        if key not in device["oscore"]:
            raise NotProvisioned("oscore: %s is missing in %s" % (key, file))
    if "gateway" in device and "gateway_ue_service_id" not in device:
        raise NotProvisioned("gateway_ue_service_id is missing in " + file)
    return device


def client(file="device.json", storage=None, folder="messages", **options):
    # A Client, protected, with its messages on flash in a folder. Beside the file is another with the sequence number
    # (or where storage keeps it). options: of Client.
    device = read(file)
    try:
        security = DeviceSecurity(device["oscore"], storage or Counter(file + ".sequence"))
        if "gateway" in device:
            security.use(device["gateway_ue_service_id"])
            options["gateway"], options["port"] = host_and_port(device["gateway"])
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        raise NotProvisioned("%s: %s" % (file, error))
    if "store" not in options:
        from .store.flash import FlashStore

        options["store"] = FlashStore(folder)
    return Client(device["ue_service_id"], security=security, **options)


def host_and_port(text):
    # "host:port", "host", "[v6]:port", and what has more colons: a MAC address, for a link that has no ports.
    host, colon, port = text.rpartition(":")
    if not colon or port.endswith("]") or (":" in host and not host.endswith("]")):
        return text.strip("[]"), wire.PORT
    return host.strip("[]"), int(port)
