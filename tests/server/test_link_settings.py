"""Settings of serial ports and of the relay."""

import random

import pytest
from msgin5g.coap.endpoint import Endpoint, Parameters

from host_tools.addresses import check_device_address, host_and_port, text
from host_tools.gateway.field_links import FieldLinks
from host_tools.link_settings import serial_settings
from host_tools.settings import GatewaySettings, SettingsError, load

HEAD = 'ue_service_id = "gateway@example.org"\nserver = "127.0.0.1:5683"\n'


def read(tmp_path, text):
    path = tmp_path / "gateway.toml"
    path.write_text(HEAD + text)
    return load(path, GatewaySettings)


def test_a_port_is_a_path_a_pattern_or_a_table(tmp_path):
    settings = read(
        tmp_path,
        """
baud = 57600
serial = ["/dev/ttyACM*", {path = "/dev/ttyUSB0", baud = 9600, packet_size = 250}]
espnow_bridges = [{path = "/dev/ttyUSB1", baud = 921600}]
""",
    )
    ports = FieldLinks(settings, Endpoint(Parameters(), random.getrandbits)).clients.ports
    assert [(port.path, port.baud, port.most_octets, port.carries) for port in ports] == [
        ("/dev/ttyUSB0", 9600, 250, "client"),
        ("/dev/ttyUSB1", 921600, 1470, "espnow"),
    ]
    pattern, table = map(serial_settings, settings.serial)
    assert pattern.path == "/dev/ttyACM*" and pattern.baud is None and table.packet_size == 250


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ('serial = ["/dev/ttyUSB0", "/dev/ttyUSB0"]', "serial: /dev/ttyUSB0 is in serial already"),
        (
            'serial = ["/dev/ttyUSB0"]\nespnow_bridges = ["/dev/ttyUSB0"]',
            "espnow_bridges: /dev/ttyUSB0 is in serial already",
        ),
        (
            'serial = ["/dev/a"]\n[relay]\nserial = [{path = "/dev/a"}]',
            "relay_serial: /dev/a is in serial already",
        ),
        ('serial = [{path = "/dev/a", baud = 12345}]', "serial: /dev/a: baud = 12345: expected one of"),
        ("baud = 115201", "baud = 115201: expected one of"),
        ('serial = [{path = "/dev/a", packet_size = 64}]', "serial[0].packet_size = 64: Expected"),
        (
            'serial = [{path = "/dev/a", boud = 9600}]',
            "there is no such key; there are path, baud, packet_size",
        ),
        ("serial = [{}]", "path is missing"),
        ("serial = [17]", "serial[0] = 17"),
        ('serial = "/dev/a"', "serial = '/dev/a'"),
        ("[relay]\nport = 70000", "relay.port = 70000"),
        ("[relay]\nport = 1\nserver = ':'", "relay.server = ':': expected host:port"),
        (
            'server_security = "dtls"\n[relay]\nport = 1',
            "relay.server is missing: `server` is for DTLS, and devices have OSCORE",
        ),
    ],
)
def test_what_is_wrong_is_named(tmp_path, settings, said):
    with pytest.raises(SettingsError) as raised:
        read(tmp_path, settings)
    assert said in str(raised.value)


def test_without_port_and_serial_nothing_is_relayed(tmp_path):
    assert not read(tmp_path, "").relay.wanted
    assert not read(tmp_path, "[relay]\nmost_devices = 7").relay.wanted
    assert read(tmp_path, "[relay]\nport = 0").relay.wanted
    assert read(tmp_path, '[relay]\nserial = ["/dev/a"]').relay.wanted


def test_addresses():
    assert host_and_port("[fe80::1%eth0]:5683") == ("fe80::1%eth0", 5683)
    assert host_and_port("[::1]") == ("::1", 5683)
    for wrong in ("[fe80::1%]:1", "[fe80::1%a b]:1", "fe80::1", "[x]:1", "host:1:2"):
        with pytest.raises(SettingsError):
            host_and_port(wrong)
    check_device_address("24:0a:C4:00:01:10", "--address")
    check_device_address("[::1]:5683", "--address")
    with pytest.raises(SettingsError):
        check_device_address("24:0a:c4:00:01", "--address")


def test_as_people_read_them():
    assert text(("192.0.2.1", 5683)) == text(("::ffff:192.0.2.1", 5683, 0, 0)) == "192.0.2.1:5683"
    assert text(("fe80::1%eth0", 5683, 0, 2)) == "[fe80::1%eth0]:5683"
    assert text(("serial", "/dev/ttyUSB0")) == "/dev/ttyUSB0"
    assert text(("espnow", "/dev/ttyUSB0", "24:0a:c4:00:01:10")) == "24:0a:c4:00:01:10 by /dev/ttyUSB0"
