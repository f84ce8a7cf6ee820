# The devices of a gateway on a board: a file with a line for each, and their contexts.

import json

import flash
from msgin5g import provisioning
from msgin5g.coap.exchange import Refused
from msgin5g.gateway_devices import DeviceContexts, Devices, NotEnrolled
from msgin5g.oscore.contexts import NoContext
from msgin5g.store.counter import Counter
from msgin5g.store.numbers import Numbers

GATEWAY, UE, OTHER = "gateway@example.org", "ue@example.org", "other@example.org"


class File:
    def __init__(self, content=b""):
        self.name = flash.folder().rsplit("/", 1)[0] + "/devices.jsonl"
        self.said = []
        if content:
            self.write(content)

    def write(self, content, mode="wb"):
        with open(self.name, mode) as file:
            file.write(content)

    def read(self):
        with open(self.name, "rb") as file:
            return file.read()

    def devices(self, most=4):
        self.said = []
        return Devices(self.name, GATEWAY, most, self.said.append)


def refused(function, *arguments):
    try:
        function(*arguments)
    except NotEnrolled as error:
        return error.args[0]
    raise AssertionError("not refused")


def test_a_device_is_enrolled_and_revoked_and_that_outlives_a_restart():
    file = File()
    devices = file.devices()
    given = devices.enrol(UE, "192.0.2.1:5683")
    assert (given["ue_service_id"], given["gateway"]) == (UE, "192.0.2.1:5683")
    assert given["gateway_ue_service_id"] == GATEWAY and "gateway" not in devices.enrol(OTHER)
    for one in (devices, file.devices()):
        name, keys = one.find(one.kid(UE))
        assert name == UE and keys == given["oscore"] and one.kid(UE) != one.kid(OTHER)
    assert "enrolled already" in refused(devices.enrol, UE)
    devices.revoke(UE)
    for one in (devices, file.devices()):
        assert one.find(one.kid(UE)) == (UE, None)
        assert "already" in refused(one.revoke, UE)
        assert one.all() == [(OTHER, False), (UE, True)]
    assert "not enrolled" in refused(devices.revoke, "nobody@example.org")
    # With another key it is let in again; what it calls itself stays its own.
    kid = devices.kid(UE)
    again = devices.enrol(UE)
    assert again["oscore"]["master_secret"] != given["oscore"]["master_secret"]
    assert devices.kid(UE) == kid and file.devices().find(kid)[1] == again["oscore"]
    assert not file.said


def test_what_a_host_gives_a_device_is_a_line_of_the_file():
    device = {
        "ue_service_id": UE,
        "gateway": "192.0.2.1:5683",
        "gateway_ue_service_id": GATEWAY,
        "oscore": {"master_secret": "00" * 16, "master_salt": "01", "sender_id": "07", "recipient_id": ""},
    }
    file = File(json.dumps(device).encode() + b"\n")
    devices = file.devices()
    assert devices.find(b"\x07")[0] == UE and not file.said


def test_a_line_that_cannot_be_used_is_told_without_what_is_in_it_and_costs_itself():
    secret = "5ec7e7" * 4
    good = {"ue_service_id": UE, "oscore": {"master_secret": secret, "sender_id": "01"}}
    bad = [
        b"\xff\xfe",
        b"[1]",
        b'"text"',
        b"{}",
        b'{"ue_service_id": "a@b"}',
        b'{"revoked": "nobody@example.org"}',
        b'{"revoked": {}}',
        json.dumps({"ue_service_id": UE, "oscore": {"master_secret": secret, "sender_id": "x"}}).encode(),
        json.dumps({"ue_service_id": 17, "oscore": {"master_secret": secret, "sender_id": "02"}}).encode(),
        json.dumps({"ue_service_id": OTHER, "oscore": {"master_secret": "", "sender_id": "02"}}).encode(),
        json.dumps({"ue_service_id": OTHER, "oscore": {"master_secret": secret, "sender_id": ""}}).encode(),
        json.dumps({"ue_service_id": OTHER, "oscore": {"master_secret": secret, "sender_id": "01"}}).encode(),
        json.dumps({"ue_service_id": "in", "oscore": {"master_secret": secret, "sender_id": "02"}}).encode(),
        json.dumps(
            {"ue_service_id": GATEWAY, "oscore": {"master_secret": secret, "sender_id": "02"}}
        ).encode(),
        json.dumps(
            {
                "ue_service_id": OTHER,
                "gateway_ue_service_id": "another@example.org",
                "oscore": {"master_secret": secret, "sender_id": "02"},
            }
        ).encode(),
        json.dumps(good).encode()[:-9],
    ]
    for place in range(len(bad)):
        file = File(json.dumps(good).encode() + b"\n\n" + bad[place] + b"\n")
        devices = file.devices()
        assert devices.all() == [(UE, False)], bad[place]
        assert devices.bad == 1 and "line 3" in file.said[0] and secret not in file.said[0], file.said


def test_a_line_that_a_power_cut_has_cut_off_takes_the_next_one_not_with_it():
    file = File()
    file.devices().enrol(UE)
    whole = file.read()
    file.devices().enrol(OTHER)
    both = file.read()
    for octets in range(len(whole) + 1, len(both) - 2, 7):
        cut = File(both[:octets])
        devices = cut.devices()
        assert devices.all() == [(UE, False)] and len(cut.said) == 1
        devices.enrol("third@example.org")
        assert cut.devices().all() == [("third@example.org", False), (UE, False)]


def test_there_are_as_many_as_the_settings_say():
    file = File()
    devices = file.devices(2)
    devices.enrol(UE)
    devices.enrol(OTHER)
    assert "most_devices" in refused(devices.enrol, "third@example.org")
    for name in ("", "x" * 256, GATEWAY, "in"):
        assert refused(devices.enrol, name)
    assert len(file.devices(1)) == 1 and "most_devices" in file.said[0]


def test_the_file_is_written_anew_before_it_grows_for_ever():
    file = File()
    devices = file.devices(2)
    devices.enrol(OTHER)
    for _ in range(8):
        devices.enrol(UE)
        devices.revoke(UE)
    kids = devices.kid(UE), devices.kid(OTHER)
    long = len(file.read())
    devices = file.devices(2)
    assert len(file.read()) < long / 4
    for one in (devices, file.devices(2)):
        assert (one.kid(UE), one.kid(OTHER)) == kids and one.find(kids[0]) == (UE, None)
        assert one.find(kids[1])[1]["master_secret"] and not file.said
    devices.enrol(UE)
    assert file.devices(2).find(kids[0])[1]["master_secret"] != "00"


def test_contexts_are_loaded_by_name_or_kid_and_dropped_when_they_are_revoked():
    file = File()
    devices = file.devices()
    contexts = DeviceContexts(devices, Numbers(Counter(file.name + ".sequence"), 100))
    revoked = []
    contexts.on_revoked = revoked.append
    given = contexts.enrol(UE)
    context = contexts.of(UE, "anywhere")
    assert context.name == UE and contexts.find(devices.kid(UE), None) is context
    # It is the other side of the device's own.
    security = provisioning.DeviceSecurity(given["oscore"], Numbers(Counter(file.name + ".device")))
    security.use(GATEWAY)
    assert security.context.sender_iv == context.recipient_iv
    assert contexts.find(b"\x77", None) is None
    contexts.revoke(UE)
    assert revoked == [UE]
    for ask in (contexts.of, contexts.find):
        try:
            ask(UE if ask == contexts.of else devices.kid(UE), None)
            raise AssertionError("found")
        except (NoContext, Refused):
            pass
    contexts.enrol(UE)
    assert contexts.of(UE, "anywhere") is not context


def test_no_sequence_number_is_used_twice_over_restarts_by_contexts_that_share_a_counter():
    file = File()
    devices = file.devices()
    devices.enrol(UE)
    devices.enrol(OTHER)
    used = {UE: set(), OTHER: set()}
    for life in range(6):
        contexts = DeviceContexts(devices, Numbers(Counter(file.name + ".sequence"), 256))
        # In another order each time, one much busier than the other.
        for name in ((UE, OTHER), (OTHER, UE))[life & 1] * 2:
            for _ in range(200 if name == UE else 3):
                number = int.from_bytes(contexts.of(name, None).take_piv(), "big")
                assert number not in used[name]
                used[name].add(number)
        # Without a word: the next life knows what is in the counter's files.
    assert len(used[UE]) == 2400 and max(used[UE]) < 6 * 2000
