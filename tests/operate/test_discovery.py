"""Gateways are found by mDNS and by the standard's request, on loopback."""

import importlib.util
import socket
import struct

import pytest

from host_tools import discovery
from host_tools.discovery import MDNS, Announcement, Found
from host_tools.settings import SettingsError

UE = "gate.way-1@example.org"
LOOPBACK = "127.0.0.1"
GROUP = "224.0.0.251"


def skip_without_mdns():
    if not discovery.has_mdns():
        pytest.skip(discovery.MISSING)
    # Does a datagram to the group come back on loopback?
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.bind(("", 0))
        try:
            one.setsockopt(
                socket.IPPROTO_IP,
                socket.IP_ADD_MEMBERSHIP,
                struct.pack("4s4s", *map(socket.inet_aton, (GROUP, LOOPBACK))),
            )
            one.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(LOOPBACK))
            one.settimeout(5)
            one.sendto(b"?", (GROUP, one.getsockname()[1]))
            one.recv(10)
        except OSError as error:
            pytest.skip(f"no multicast on loopback: {error}")


async def test_an_announced_gateway_is_found_with_its_service_id_and_not_after_it_has_stopped():
    skip_without_mdns()
    announcement = Announcement(UE, LOOPBACK, 5999)
    await announcement.start()
    try:
        assert Found(UE, "127.0.0.1:5999", MDNS) in await _found_by_mdns(UE)
    finally:
        await announcement.stop()
    assert not [one for one in await discovery.by_mdns(1, LOOPBACK) if one.ue_service_id == UE]


async def _found_by_mdns(ue):
    # What is asserted is that it is found, not when.
    found = set()
    for seconds in (1, 2, 4, 8):
        found = {one for one in await discovery.by_mdns(seconds, LOOPBACK) if one.ue_service_id == ue}
        if found:
            break
    return found


async def test_two_gateways_with_similar_names_are_both_found():
    skip_without_mdns()
    similar = UE.replace(".", "-")
    one, other = Announcement(UE, LOOPBACK, 5997), Announcement(similar, LOOPBACK, 5998)
    await one.start()
    await other.start()
    try:
        for expected in (Found(UE, "127.0.0.1:5997", MDNS), Found(similar, "127.0.0.1:5998", MDNS)):
            assert expected in await _found_by_mdns(expected.ue_service_id)
    finally:
        await one.stop()
        await other.stop()


def test_without_the_package_it_says_what_to_install(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(SettingsError, match=r"pip install 'msgin5g\[discovery\]'"):
        Announcement(UE, LOOPBACK, 5999)
