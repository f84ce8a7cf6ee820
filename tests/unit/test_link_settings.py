# What a gateway's settings say about its links.

import tempfile
from pathlib import Path

from host_tools.settings import GatewaySettings, SettingsError, load

RUNTIMES = ("cpython",)

_LEAST = 'ue_service_id = "gw@example.org"\nserver = "127.0.0.1:5683"\n'


def loaded(more):
    path = Path(tempfile.mkdtemp()) / "gateway.toml"
    path.write_text(_LEAST + more)
    return load(path, GatewaySettings)


def refused(more):
    try:
        loaded(more)
    except SettingsError as error:
        return str(error)
    raise AssertionError(more)


def test_none_by_default():
    settings = loaded("")
    assert (settings.serial, settings.baud, settings.multicast) == ([], 115200, [])


def test_ports_and_interfaces():
    settings = loaded('serial = ["/dev/ttyUSB0", "/dev/ttyACM0"]\nbaud = 921600\nmulticast = ["wlan0"]')
    assert settings.serial == ["/dev/ttyUSB0", "/dev/ttyACM0"]
    assert (settings.baud, settings.multicast) == (921600, ["wlan0"])
    assert loaded('host = "::"\nmulticast = ["wlan0"]').multicast == ["wlan0"]


def test_what_is_wrong_is_named():
    said = refused("baud = 115201")
    assert "gateway.toml" in said and "baud = 115201" in said and "115200, " in said
    said = refused('serial = ["/dev/ttyUSB0", "/dev/ttyUSB0"]')
    assert "serial" in said and "each port once" in said
    said = refused('host = "127.0.0.1"\nmulticast = ["lo"]')
    assert "multicast" in said and '"0.0.0.0"' in said
    assert "serial" in refused('serial = "/dev/ttyUSB0"')
    assert "serial" in refused('serial = [""]')
    assert "baud" in refused('baud = "fast"')
