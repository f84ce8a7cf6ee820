# settings.json: what a board is to do, as `msgin5g provision` writes it. The key is not in it, but in device.json.
#
#     {"board": "ESP32_GENERIC", "link": "wifi", "networks": [["a network", "its password"]],
#      "pins": {"led": 2, "led_on": 1, "uart": 2, "tx": 17, "rx": 16}, "baud": 115200,
#      "watchdog": 60, "ntp": "192.168.4.1"}
#
# All but "link" may be missing. watchdog: seconds that the program may be stuck; 0 for none. trial: seconds after which
# an updated application must have kept the board registered.

FILE = "settings.json"
LINKS = ("wifi", "serial", "espnow")
DEFAULTS = {
    "networks": [],
    "pins": {},
    "baud": 115200,
    "watchdog": 60,
    "ntp": None,
    "channel": 1,
    "trial": 120,
}


class Unusable(Exception):
    # args[0] says what is wrong with the file.
    pass


class Missing(Unusable):
    # It was never provisioned.
    pass


def read(file=FILE):
    from .. import json_file

    settings = json_file.read(file, Unusable, "`msgin5g provision` writes it", Missing)
    wrong = complaint(settings)
    if wrong:
        raise Unusable("%s: %s" % (file, wrong))
    return settings


def complaint(settings):
    # What is wrong with it, None when nothing is. What is missing is put there.
    for key, value in DEFAULTS.items():
        settings.setdefault(key, value)
    link = settings.get("link")
    if link not in LINKS:
        return "link = %r: expected one of %s" % (link, ", ".join(LINKS))
    networks = settings["networks"]
    if not isinstance(networks, list) or not all([_is_network(one) for one in networks]):
        return 'networks: expected [["name", "password"], ...]'
    if link == "wifi" and not networks:
        return "networks: link = 'wifi' needs one"
    for key in ("baud", "watchdog", "channel", "trial"):
        if not isinstance(settings[key], int) or settings[key] < 0:
            return "%s = %r: expected a number" % (key, settings[key])
    if not isinstance(settings["pins"], dict):
        return "pins: expected an object"
    if link == "serial" and not all(
        [isinstance(settings["pins"].get(key), int) for key in ("uart", "tx", "rx")]
    ):
        return "pins: link = 'serial' needs uart, tx and rx"
    return None


def _is_network(one):
    return (
        isinstance(one, list)
        and len(one) == 2
        and all([isinstance(part, str) for part in one])
        and one[0] != ""
    )
