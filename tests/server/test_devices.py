"""The device registry: enrolment, revocation, and the security contexts that a running process makes of it."""

import contextlib
import json
import stat
from typing import Any

import pytest
from msgin5g import provisioning
from msgin5g.coap import numbers as n
from msgin5g.coap.client import Client
from msgin5g.coap.endpoint import Endpoint, Parameters
from msgin5g.coap.message import dotted
from msgin5g.coap.server import Server
from msgin5g.oscore.contexts import NoContext
from msgin5g.provisioning import DeviceSecurity
from world import World

from host_tools.security import contexts, key_file
from host_tools.security.contexts import REVOKED, DeviceContexts
from host_tools.security.devices import Devices, EnrolmentError, Overtaken
from host_tools.settings import SettingsError
from host_tools.store import SqliteStore

GATEWAY, UE, OTHER = "gateway@a", "ue@a", "other@a"


@pytest.fixture
def path(tmp_path):
    return tmp_path / "gateway.sqlite"


@pytest.fixture
def devices(path):
    with contextlib.closing(Devices(path, GATEWAY)) as devices:
        yield devices


def enrol(devices, ue, address=None):
    with devices.enrol(ue, address) as device:
        return device


# -- the registry


def test_a_device_gets_what_it_needs_and_a_kid_of_its_own(devices, path):
    device = enrol(devices, UE, "gw:5683")
    assert (device["ue_service_id"], device["gateway"], device["gateway_ue_service_id"]) == (
        UE,
        "gw:5683",
        GATEWAY,
    )
    assert "gateway" not in enrol(devices, OTHER)
    assert [one.kid for one in devices.all()] == [b"\1", b"\0"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_kids_are_short_and_unique(devices):
    for number in range(300):
        enrol(devices, f"ue-{number}")
    kids = [one.kid for one in devices.all()]
    assert len(set(kids)) == 300
    assert sorted(map(len, kids)) == [1] * 256 + [2] * 44


@pytest.mark.parametrize("ue", ["", "u" * 256, GATEWAY])
def test_what_is_no_name_for_a_device(devices, ue):
    with pytest.raises(EnrolmentError):
        enrol(devices, ue)
    assert devices.all() == []


def test_nothing_is_enrolled_when_its_file_cannot_be_written(devices, tmp_path):
    file = tmp_path / "device.json"
    file.write_text("somebody else's")
    with pytest.raises(FileExistsError), devices.enrol(UE) as device:
        key_file.write(file, device)
    assert devices.all() == [] and file.read_text() == "somebody else's"
    assert enrol(devices, UE)["oscore"]["sender_id"] == "00"


def test_revoked_and_enrolled_anew(devices):
    first = enrol(devices, UE)["oscore"]
    with pytest.raises(EnrolmentError, match="is enrolled already"):
        enrol(devices, UE)
    devices.revoke(UE)
    assert devices.all()[0].revoked
    with pytest.raises(EnrolmentError, match="revoked already"):
        devices.revoke(UE)
    with pytest.raises(EnrolmentError, match="not enrolled"):
        devices.revoke(OTHER)
    second = enrol(devices, UE)["oscore"]
    assert first["sender_id"] == second["sender_id"] and first["master_secret"] != second["master_secret"]
    assert not devices.all()[0].revoked


def test_what_is_offered_counts_when_it_is_accepted(devices):
    offered = devices.offer({UE: "gw:5683", OTHER: None})
    assert devices.all() == [] and not devices.holds(offered[0])
    assert [one["oscore"]["sender_id"] for one in offered] == ["00", "01"]
    devices.accept(offered)
    assert all(map(devices.holds, offered))
    for refused in (lambda: devices.offer({UE: None}), lambda: devices.accept(offered)):
        with pytest.raises(EnrolmentError, match="is enrolled already"):
            refused()


def test_of_two_offers_at_a_time_the_second_is_overtaken(devices):
    first, second = devices.offer({UE: None}), devices.offer({OTHER: None})
    devices.accept(second)
    with pytest.raises(Overtaken):
        devices.accept(first)
    assert [one.ue_service_id for one in devices.all()] == [OTHER]


def test_nobody_waits_while_an_offer_is_on_its_way(devices, path):
    [offered] = devices.offer({UE: None})
    with contextlib.closing(Devices(path, GATEWAY)) as elsewhere:
        enrol(elsewhere, OTHER)
    with pytest.raises(Overtaken):
        devices.accept([offered])


def test_what_is_no_device_of_ours_is_not_held(devices):
    given = enrol(devices, UE)
    for other in (
        {},
        {"ue_service_id": UE},
        given | {"oscore": []},
        given | {"gateway_ue_service_id": "g@b"},
    ):
        assert not devices.holds(other)
    devices.revoke(UE)
    assert not devices.holds(given)


# -- contexts of a running process


@pytest.fixture(autouse=True)
def at_once(monkeypatch):
    """What is changed is seen at the next request, not in the next millisecond."""
    monkeypatch.setattr(contexts, "_LOOK_PAUSE", -1)


class Site:
    """A gateway's endpoint on its store, and devices that make requests of it."""

    def __init__(self, path, most=16384):
        self.path = path
        self.most = most
        self.world = World()
        self.served = []
        self.revoked = []
        self.start()

    def start(self):
        self.store = SqliteStore(self.path, 1000)
        self.contexts = DeviceContexts(self.store, GATEWAY, most=self.most)
        self.contexts.on_revoked = self.revoked.append
        self.endpoint = Endpoint(Parameters(most_peers=512), self.world.random.bits, security=self.contexts)
        server = Server(self.endpoint)

        def serve(request, now):
            self.served.append(request.context.name)
            server.respond(request, n.CHANGED, now)

        server.add("x", n.POST, serve)
        self.world.join("gateway", self.endpoint)
        self.world.before_send = [self.store.commit]

    def restart(self):
        """As after a power cut: what was not committed is gone."""
        self.world.leave("gateway")
        self.store._database.close()
        self.start()

    def device(self, given, address):
        return Device(self, given, address)


class Numbers:
    number = None

    def load(self):
        return self.number

    def save(self, number):
        self.number = number


class Device:
    def __init__(self, site, given, address):
        self._site = site
        self._numbers = Numbers()
        security = DeviceSecurity(given["oscore"], self._numbers)
        security.use(given["gateway_ue_service_id"])
        self.endpoint = site.world.join(
            address, Endpoint(Parameters(), site.world.random.bits, security=security)
        )
        self.server = Server(self.endpoint)
        self.server.add("y", n.POST, lambda request, now: self.server.respond(request, n.CHANGED, now))
        self._client = Client(self.endpoint)

    def ask(self):
        responses = []
        world = self._site.world
        self._client.request(
            "gateway",
            n.POST,
            [(n.URI_PATH, b"x")],
            b"",
            lambda response, now: responses.append(response),
            world.now,
        )
        world.settle()
        if not responses:
            return None
        return dotted(responses[0].code)


def test_enrolled_and_revoked_while_it_runs(path, devices, capsys):
    site = Site(path)
    given = enrol(devices, UE)
    one = site.device(given, "ue-1")
    assert one.ask() == "2.04"
    other = site.device(enrol(devices, OTHER), "ue-2")
    assert other.ask() == "2.04"
    devices.revoke(UE)
    assert one.ask() is None
    assert site.endpoint.counters[REVOKED] == 1 and site.revoked == [UE]
    assert other.ask() == "2.04" and site.served == [UE, OTHER, OTHER]
    with pytest.raises(NoContext):
        site.contexts.of(UE, "ue-1")
    # The same name, the same kid, and another key.
    again = site.device(enrol(devices, UE), "ue-3")
    assert again.ask() == "2.04" and site.device(given, "ue-4").ask() is None
    # Its number has been used by the new key; whatever it says is refused.
    assert site.endpoint.counters["oscore_replayed"] == 1 and site.served.count(UE) == 2
    assert "device revoked" in capsys.readouterr().out


def test_a_key_that_is_rotated_while_it_runs(path, devices):
    site = Site(path)
    given = enrol(devices, UE)
    one = site.device(given, "ue-1")
    assert one.ask() == "2.04"
    [offered] = devices.offer({UE: None}, rotate=True)
    assert offered["oscore"]["sender_id"] == given["oscore"]["sender_id"]
    # Not before it is accepted.
    assert site.device(offered, "ue-2").ask() is None and one.ask() == "2.04"
    devices.accept([offered], rotate=True)
    assert one.ask() is None and site.device(offered, "ue-3").ask() == "2.04"
    assert devices.holds(offered) and not devices.holds(given)


def test_a_device_is_spoken_to_by_name_before_it_is_heard_and_no_number_is_used_twice(path, devices):
    site = Site(path)
    site.device(enrol(devices, UE), "ue-1")
    seen = set()
    for _ in range(3):
        for _ in range(70):
            context = site.contexts.of(UE, "anywhere")
            number = context.take_piv()
            assert number not in seen
            seen.add(number)
        site.store.commit()
        site.restart()
    with pytest.raises(NoContext):
        site.contexts.of("nobody", "ue-1")


def test_a_context_is_derived_once_and_few_are_held(path, devices, monkeypatch):
    loads = []
    derive = provisioning.context
    monkeypatch.setattr(provisioning, "context", lambda *given: loads.append(given[2]) or derive(*given))
    site = Site(path, most=8)
    given = [enrol(devices, f"ue-{number}") for number in range(20)]
    made = [site.device(one, f"at-{number}") for number, one in enumerate(given)]
    del loads[:]
    for one in made:
        assert one.ask() == one.ask() == "2.04"
    # Once each, for the device's own were made before.
    assert loads == [f"ue-{number}" for number in range(20)]
    assert site.contexts.held() <= 8
    # One that was forgotten has to prove that it is no replay, and goes on.
    assert made[0].ask() == "2.04" and site.endpoint.counters["oscore_challenged"] == 1


def test_what_was_lost_comes_again_after_hundreds_of_others(path, devices):
    # A gateway has many requests under way at once.
    site = Site(path)
    given = enrol(devices, UE)
    context: Any = site.contexts.find(bytes.fromhex(given["oscore"]["sender_id"]), None)
    for number in range(2000):
        if number != 1000:
            assert not context.is_replay(number)
            context.accept(number)
    assert not context.is_replay(1000) and context.is_replay(1001) and context.is_replay(0)


def test_after_a_restart_a_replay_is_refused(path, devices):
    site = Site(path)
    taken = []
    world: Any = site.world
    world.drop = lambda datagram, source, destination: (
        taken.append(bytes(datagram)) if source == "ue-1" else None
    )
    device = site.device(enrol(devices, UE), "ue-1")
    assert device.ask() == "2.04"
    site.restart()
    site.endpoint.receive(taken[0], len(taken[0]), "attacker", site.world.now)
    site.world.settle()
    assert site.served == [UE] and site.endpoint.counters["oscore_challenged"] == 1
    assert device.ask() == "2.04" and site.served == [UE, UE]


# -- files with keys


def test_a_device_file_is_its_owners_only_and_is_not_overwritten(tmp_path, devices):
    file = tmp_path / "device.json"
    given = enrol(devices, UE)
    key_file.write(file, given)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert key_file.read(file) == given == json.loads(file.read_text())
    with pytest.raises(FileExistsError):
        key_file.write(file, given)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"oscore": {}}, "sender_id"),
        ({"oscore": {"master_secret": "secret", "sender_id": "01", "recipient_id": ""}}, "device.json"),
        ({"gateway_ue_service_id": None}, "device.json"),
    ],
)
def test_a_device_file_that_cannot_be_used_is_named_and_its_key_is_not(tmp_path, devices, change, said):
    file = tmp_path / "device.json"
    given = enrol(devices, UE) | change
    with pytest.raises(SettingsError, match=said) as error:
        key_file.security(file, given)
    assert "secret" not in str(error.value).replace("master_secret", "")


def test_numbers_in_a_file_go_ahead_and_are_never_used_twice(tmp_path):
    path = tmp_path / "device.json.sequence"
    one = key_file.Numbers(path, 1000)
    assert one.load() is None
    one.save(64)
    written = [file.read_bytes() for file in tmp_path.iterdir()]
    one.save(128)
    one.save(1064)
    assert [file.read_bytes() for file in tmp_path.iterdir()] == written
    assert one.load() == 1064
    assert key_file.Numbers(path, 1000).load() == 1064
    one.save(1128)
    assert key_file.Numbers(path, 1000).load() == 2128
