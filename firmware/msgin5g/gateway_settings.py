# The settings of a gateway on a board: a JSON file with those that differ from what is assumed here.

from . import wire

OSCORE = "oscore"
NONE = "none"

# Text: what is assumed. server: host:port of the MSGin5G Server; a name needs a network when the gateway starts, an
# address does not. key_file: the gateway's own key for the server, which has ue_service_id and server as well.
# devices_file: who may speak to it. folder: of the store.
_TEXTS = {
    "ue_service_id": None,
    "server": None,
    "key_file": "gateway-device.json",
    "devices_file": "devices.jsonl",
    "folder": "messages",
    "security": OSCORE,
    "server_security": OSCORE,
}
# Numbers: what is assumed, from, to.
_NUMBERS = {
    "port": (wire.PORT, 1, 65535),
    # Clients that are registered, and devices that are enrolled.
    "most_devices": (64, 1, 1000),
    # On their way, and of those that one UE has sent, or that wait for it.
    "most_messages": (256, 4, 10000),
    "most_messages_per_ue": (64, 1, 10000),
    # Identities of messages, 8 octets each, and octets of the log on flash.
    "most_known": (1024, 16, 20000),
    "most_octets": (524288, 65536, 1 << 26),
    "most_requests_per_second": (50, 1, 10000),
    # Octets of a body in blocks, and how many there may be at once in each direction.
    "most_body": (16384, 1024, 65536),
    "most_transfers": (4, 1, 64),
    # Messages that are under way to the server at once.
    "up_window": (8, 1, 64),
    "ack_timeout": (2000, 10, 600000),
    "max_retransmit": (4, 0, 10),
}


class BadSettings(ValueError):
    # args[0] says which setting, its value, and what is expected.
    pass


class Settings:
    # Each setting is an attribute. given: a dict; name: of the file, for what is wrong in it.
    def __init__(self, given, name="settings"):
        for key in given:
            if key not in _TEXTS and key not in _NUMBERS:
                raise BadSettings("%s: there is no setting %s" % (name, key))
        for key, assumed in _TEXTS.items():
            value = given.get(key, assumed)
            if value is not assumed and (not isinstance(value, str) or not value):
                raise BadSettings("%s: %s = %r: expected a text" % (name, key, value))
            setattr(self, key, value)
        for key, (assumed, least, most) in _NUMBERS.items():
            value = given.get(key, assumed)
            if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
                expected = "expected a number from %d to %d" % (least, most)
                raise BadSettings("%s: %s = %r: %s" % (name, key, value, expected))
            setattr(self, key, value)
        for key in ("security", "server_security"):
            if getattr(self, key) not in (OSCORE, NONE):
                raise BadSettings('%s: %s = %r: "oscore" or "none"' % (name, key, getattr(self, key)))


def read(file="gateway.json"):
    # Raises BadSettings.
    from . import json_file

    return Settings(json_file.read(file, BadSettings, '{"server": "192.0.2.1:5683"} for a start'), file)
