# The store of a gateway on a board: registrations beside messages, in one log.

import flash
from msgin5g import wire
from msgin5g.delivery import HIGH
from msgin5g.registry import Registered
from msgin5g.store import INCOMING, Full
from msgin5g.store.gateway import GatewayStore

OPTIONS = {"most_octets": 16384, "most_messages": 8, "most_devices": 3, "most_known": 16}
UE = "ue-1@example.org"


def entry(ue=UE, address=("192.0.2.1", 5683), body=b'{"a": 1}\n2', **more):
    return Registered(ue, address, None, body, **more)


def fields(one):
    return one.ue_service_id, one.address, one.via, one.body, one.content_format


def stored(place):
    return sorted([fields(one) for one in GatewayStore(place, **OPTIONS).registered()])


def test_registrations_outlive_a_restart_whatever_an_address_is():
    place = flash.folder()
    store = GatewayStore(place, **OPTIONS)
    entries = [
        entry(),
        entry("ue-2@example.org", b"\x02\x00\x16\x33\xff", content_format=60),
        Registered("ue-3@example.org", "serial", "application", None),
    ]
    for one in entries:
        store.save_registered(one)
    assert stored(place) == []
    store.commit()
    assert stored(place) == sorted([fields(one) for one in entries])
    store.remove_registered("ue-2@example.org")
    store.remove_registered("nobody@example.org")
    store.commit()
    assert [one[0] for one in stored(place)] == [UE, "ue-3@example.org"]


def test_flash_is_written_when_something_has_changed_only():
    place = flash.folder()
    store = GatewayStore(place, **OPTIONS)
    store.save_registered(entry())
    store.commit()
    before = flash.files(place)
    store.save_registered(entry())
    store.commit()
    again = GatewayStore(place, **OPTIONS)
    again.registered()
    again.save_registered(entry())
    again.commit()
    assert flash.files(place) == before
    again.save_registered(entry(address=("192.0.2.9", 5683)))
    again.commit()
    ((_, address, _, _, _),) = stored(place)
    assert address == ("192.0.2.9", 5683)


def test_one_that_comes_again_and_again_takes_no_room_for_ever():
    place = flash.folder()
    store = GatewayStore(place, **OPTIONS)
    for port in range(300):
        store.save_registered(entry(address=("192.0.2.1", port)))
        store.put("", UE, wire.MSG, str(port), 0, b"x" * 40)
        store.commit()
        for item in store.pending("", -1, 10):
            store.remove(item)
    store.commit()
    ((_, address, _, _, _),) = stored(place)
    assert address[1] == 299
    octets = sum(len(content) for content in flash.files(place).values())
    assert octets <= OPTIONS["most_octets"] and store.counters["damaged"] == 0


def test_without_room_for_a_registration_nothing_changes():
    place = flash.folder()
    store = GatewayStore(place, **OPTIONS)
    for number in range(3):
        store.save_registered(entry(f"ue-{number}@example.org"))
    store.commit()
    before = stored(place)
    for one in (entry("one-more@example.org"), entry("ue-0@example.org", body=b"x" * 5000)):
        try:
            store.save_registered(one)
            raise AssertionError("there is no room")
        except Full:
            pass
    # Messages have room of their own, and take none of the registrations'.
    for number in range(8):
        assert store.put("", UE, wire.MSG, str(number), 0, b"x")
    try:
        store.put("", UE, wire.MSG, "8", 0, b"x")
        raise AssertionError("there is no room")
    except Full:
        pass
    store.commit()
    assert stored(place) == before and store.on_their_way() == 8


def test_a_ue_with_a_name_of_the_stores_own_gets_no_registrations_as_messages():
    store = GatewayStore(flash.folder(), **OPTIONS)
    store.save_registered(entry())
    for name in INCOMING:
        try:
            store.put(name, UE, wire.MSG, "1", 0, b"x")
            raise AssertionError("stored")
        except Full:
            pass
        assert store.pending(name, -1, 10) == []


def test_messages_are_known_after_a_restart():
    place = flash.folder()
    store = GatewayStore(place, **OPTIONS)
    for number in range(12):
        item = store.put("", UE, wire.MSG, str(number), 0, b"x")
        store.commit()
        store.remove(item)
    store.commit()
    again = GatewayStore(place, **OPTIONS)
    assert all(again.knows("", UE, wire.MSG, str(number), 0) for number in range(12))
    assert again.put("", UE, wire.MSG, "3", 0, b"x") is None


def test_a_damaged_registration_costs_itself_and_a_damaged_message_is_not_held():
    place = flash.folder()
    store = GatewayStore(place, **OPTIONS)
    store.save_registered(entry(body=b"first registration"))
    item = store.put("", UE, wire.MSG, "1", 0, b"the message")
    store.commit()
    store.save_registered(entry("ue-2@example.org"))
    store.commit()
    assert store.holds(item)
    (name,) = flash.files(place)
    octets = flash.files(place)[name]
    flash.write(place, name, octets.replace(b"first reg", b"worst reg").replace(b"the mess", b"thy mess"))
    try:
        assert item.body is None
    except OSError:
        assert not store.holds(item) and store.counters["damaged"] == 1
    again = GatewayStore(place, **OPTIONS)
    assert [one.ue_service_id for one in again.registered()] == ["ue-2@example.org"]
    assert again.counters["damaged"] or again.counters["torn"]
    assert again.pending("", -1, 10) == []


def test_a_message_that_is_changed_is_the_newest_and_stays_known():
    place = flash.folder()
    store = GatewayStore(place, **OPTIONS)
    committed = store.put("", UE, wire.MSG, "1", 0, b"old", 100, True, HIGH)
    store.commit()
    fresh = store.put("", UE, wire.MSG, "2", 0, b"old")
    for item in (committed, fresh):
        new = store.replace(item, b"new " + item.message_id.encode(), 200)
        assert new.key > item.key and store.knows("", UE, wire.MSG, item.message_id, 0)
    store.commit()
    for one in (store, GatewayStore(place, **OPTIONS)):
        first, second = one.pending("", -1, 10)
        assert (first.body, first.expires, first.report, first.priority) == (b"new 1", 200, True, HIGH)
        assert (second.body, second.expires, one.on_their_way()) == (b"new 2", 200, 2)


def test_without_room_for_what_a_message_becomes_it_stays_what_it_was():
    place = flash.folder()
    store = GatewayStore(place, **OPTIONS)
    committed = store.put("", UE, wire.MSG, "1", 0, b"old 1")
    store.commit()
    fresh = store.put("", UE, wire.MSG, "2", 0, b"old 2")
    for item in (committed, fresh):
        try:
            store.replace(item, bytes(5000), None)
            raise AssertionError("there is no room")
        except Full:
            pass
    store.commit()
    for one in (store, GatewayStore(place, **OPTIONS)):
        assert [item.body for item in one.pending("", -1, 10)] == [b"old 1", b"old 2"]
