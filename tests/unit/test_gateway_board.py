# A gateway on a board, with links of a world of its own time: restarts, a flash that fails or is full, damage.

import asyncio
import json

import flash
from gateway_world import AS, GATEWAY, OTHER, UE, to_client
from msgin5g import gateway_board, provisioning, stored_message, wire
from msgin5g.client import NOT_PROTECTED, Client, wall_clock
from msgin5g.gateway_console import answer
from msgin5g.gateway_settings import BadSettings, Settings
from msgin5g.oscore.derive import from_credentials  # noqa: F401 (from here on it is not as deep)
from msgin5g.store import Broken
from msgin5g.store.gateway import GatewayStore
from server import FakeServer
from world import FakeLink, World


class Link(FakeLink):
    # What a link does when nothing can be committed: nothing is sent, and it is told.
    errors = oversized = 0

    def start(self):
        commit = self.before_send

        def tried():
            try:
                commit()
            except Broken:
                self._endpoint.datagrams_to_send()

        self.before_send = tried
        super().start()


class Site:
    # security: of the links to the clients.
    def __init__(self, security="none", **settings):
        self.world = World()
        self.server = FakeServer(self.world)
        self.place = flash.folder().rsplit("/", 1)[0]
        self.settings = {
            "ue_service_id": GATEWAY,
            "server": "server",
            "security": security,
            "server_security": "none",
            "folder": self.place + "/messages",
            "devices_file": self.place + "/devices.jsonl",
        }
        self.settings.update(settings)
        self.events = []
        self.start()

    def start(self):
        def link_at(address):
            return lambda endpoint: Link(self.world, address, endpoint)

        self.board = gateway_board.GatewayBoard(
            Settings(self.settings),
            link_at("gateway"),
            lambda word, detail: self.events.append((word, detail)),
            link_at("gateway-up"),
        )
        assert self.board._start()
        self.world.settle()

    def restart(self):
        # Its power was cut.
        for address in ("gateway", "gateway-up"):
            self.world.leave(address)
        self.world.before_send.clear()
        self.start()

    def client(self, ue=UE, address="ue-1", security=NOT_PROTECTED):
        return Client(ue, "gateway", security=security, link=FakeLink.at(self.world, address))

    def secured(self, given, address="ue-1"):
        class Storage:
            def load(self):
                return None

            def save(self, number):
                pass

        security = provisioning.DeviceSecurity(given["oscore"], Storage())
        security.use(given["gateway_ue_service_id"])
        return self.client(given["ue_service_id"], address, security)

    async def turn(self):
        await asyncio.sleep(0)

    async def run(self, coroutine):
        return await self.world.run(coroutine)

    def down(self, message_id="d-1", ue=UE, text="on"):
        responses = self.server.post("gateway-up", to_client(text, message_id, ue=ue))
        self.world.settle()
        return responses

    def said(self, word):
        return [detail for one, detail in self.events if one == word]


async def test_clients_and_their_messages_are_there_after_a_restart():
    site = Site()
    ue = site.client()
    await site.run(ue.register())
    site.world.leave("ue-1")
    site.down()
    assert site.board.counts()["messages"] == 1
    site.restart()
    assert [entry.ue_service_id for entry in site.board.gateway.registry] == [UE]
    assert site.board.counts()["messages"] == 1
    site.world.join("ue-1", ue.endpoint)
    assert (await site.run(ue.receive())).payload == "on"
    site.world.advance(2000)
    assert site.board.counts()["messages"] == 0
    sent = await ue.send("up", application_server=AS, report=False)
    assert await site.run(sent.accepted())
    assert site.server.received[-1][wire.PAYLOAD] == "up"
    assert site.said("NOT PROTECTED")


async def test_protected_clients_go_on_after_a_restart_and_a_revoked_one_does_not():
    site = Site("oscore")
    given = answer(site.board, "enrol " + UE)["enrolled"]
    other = answer(site.board, "enrol " + OTHER)["enrolled"]
    clients = site.secured(given), site.secured(other, "ue-2")
    for client in clients:
        await site.run(client.register())
    for _ in range(2):
        for client in clients:
            sent = await client.send("x", application_server=AS, report=False)
            assert await site.run(sent.accepted())
        site.restart()
    assert site.board.counts()["down_oscore_challenged"] == 0
    assert answer(site.board, "revoke " + UE) == {"revoked": UE}
    site.world.settle()
    assert len(site.board.gateway.registry) == 1 and UE not in site.server.registered
    assert answer(site.board, "devices")["devices"][0] == {"ue_service_id": UE, "revoked": True}
    received = len(site.server.received)
    await clients[0].send("y", application_server=AS, report=False)
    site.world.advance(20000)
    assert len(site.server.received) == received
    assert site.board.counts()["down_oscore_revoked"] > 0
    sent = await clients[1].send("z", application_server=AS, report=False)
    assert await site.run(sent.accepted())


async def test_nothing_is_acknowledged_while_the_flash_fails_and_all_goes_on_when_it_is_mended():
    site = Site()
    ue = site.client()
    await site.run(ue.register())
    write, site.board.store._write = site.board.store._write, fails
    sent = await ue.send("x", application_server=AS, report=False)
    responses = site.down()
    site.world.advance(3000)
    assert sent.state == "sent" and not responses and not site.server.received
    assert not ue.store.pending("in", -1, 1)
    assert site.said("flash") and "can't store" in site.board.counts()["health"]
    assert site.board.counts()["store_failed"] > 0
    site.board.store._write = write
    assert await site.run(sent.accepted())
    assert (await site.run(ue.receive())).payload == "on"
    site.world.advance(60000)
    assert site.board.counts()["health"] == "" and site.board.counts()["messages"] == 0
    assert responses[0].code == wire.ACCEPTED
    # The message and the report on the other one, each once.
    assert sorted([one[wire.MESSAGE_TYPE] for one in site.server.received]) == [wire.IMDN, wire.MSG]


def fails():
    raise OSError(28, "no room")


async def test_a_full_store_is_said_to_both_sides_and_takes_nothing_from_what_is_there():
    site = Site(most_messages=4, most_octets=65536, most_known=64)
    ue = site.client()
    await site.run(ue.register())
    site.world.leave("ue-1")
    answers = [site.down(f"d-{number}") for number in range(7)]
    codes = [one[0].code if one else None for one in answers]
    assert codes.count(wire.UNAVAILABLE) == 3, codes
    counts = site.board.counts()
    assert counts["store_full"] == counts["store_refused"] == 3 and counts["messages"] == 4
    site.world.join("ue-1", ue.endpoint)
    for number in range(4):
        assert (await site.run(ue.receive())).message_id == f"d-{number}"


async def test_without_room_for_a_registration_it_is_refused_for_now():
    site = Site(most_devices=1)
    await site.run(site.client().register())
    other = site.client(OTHER, "ue-2")
    registering = asyncio.create_task(other.register())
    site.board.gateway.registry._most = 2
    await site.run(site.turn())
    site.world.advance(10000)
    assert not other.registered and site.said("client refused")[0]["cause"] == wire.STORE_FULL
    assert len(site.board.gateway.registry) == 1
    registering.cancel()


async def test_a_message_that_the_flash_has_lost_holds_up_nothing():
    site = Site()
    ue = site.client()
    await site.run(ue.register())
    site.world.leave("ue-1")
    for number in range(3):
        # Too large to travel as one.
        site.down(f"d-{number}", text="x" * 600)
    site.restart()
    place = site.settings["folder"]
    for name, octets in flash.files(place).items():
        flash.write(place, name, octets.replace(b'"d-1"', b'"x-1"'))
    site.world.join("ue-1", ue.endpoint)
    for message_id in ("d-0", "d-2"):
        assert (await site.run(ue.receive())).message_id == message_id
    site.world.advance(2000)
    assert site.board.counts()["messages"] == 0 and site.board.counts()["store_damaged"] > 0


async def test_what_waits_for_the_server_is_updated_and_discarded():
    site = Site()
    ue = site.client()
    await site.run(ue.register())
    # Then the gateway leaves it alone for a while.
    site.server.answers = [(wire.UNAVAILABLE, {})]
    first = await ue.send("one", application_server=AS, expires_in=600, report=False)
    second = await ue.send("two", application_server=AS, expires_in=600, report=False)
    assert await site.run(second.accepted())
    until = wall_clock() + 1200
    await site.run(stored_message.update(ue, first, until))
    await site.run(stored_message.discard(ue, second))
    assert site.board.counts()["updated"] == site.board.counts()["discarded"] == 1
    (item,) = site.board.store.pending("", -1, 10)
    assert item.message_id == first.message_id and item.expires == until
    # It is on flash so.
    (again,) = GatewayStore(site.settings["folder"]).pending("", -1, 10)
    assert again.body == item.body and again.expires == item.expires


async def test_one_that_is_looking_for_a_gateway_is_answered():
    site = Site()
    finder = Client(UE, None, security=NOT_PROTECTED, link=FakeLink.at(site.world, "ue-1"))
    await site.run(finder.register())
    assert finder.registered and site.server.registered[UE]


async def test_the_watchdog_is_fed_while_the_server_cannot_be_found_and_after():
    site = Site()
    board = gateway_board.GatewayBoard(
        Settings(dict(site.settings, folder=site.place + "/others")),
        lambda endpoint: FakeLink(site.world, "g", endpoint),
        lambda word, detail: site.events.append((word, detail)),
        lambda endpoint: Lost(site.world, "g-up", endpoint),
    )
    fed = []
    done = asyncio.Event()
    board.up.found = False

    def feed():
        fed.append(board.gateway is not None)
        if fed[-1]:
            done.set()
        board.up.found = len(fed) > 2

    gateway_board.asyncio = Hurried
    try:
        await board.run(feed, done)
    finally:
        gateway_board.asyncio = asyncio
    assert fed[:3] == [False, False, False] and fed[-1]
    assert "nobody knows" in site.said("error")[0]["error"]


class Hurried:
    Event = asyncio.Event
    TimeoutError = asyncio.TimeoutError

    @staticmethod
    async def sleep(seconds):
        pass

    @staticmethod
    async def wait_for(waiting, seconds):  # noqa: ARG004 (as asyncio's)
        waiting.close()
        raise asyncio.TimeoutError


class Lost(FakeLink):
    found = False

    def resolve(self, host, port):
        if not self.found:
            raise OSError(-2, "nobody knows " + host)
        return "server"


def test_settings_that_leave_something_open_and_a_key_of_somebody_else_are_named():
    place = flash.folder().rsplit("/", 1)[0]
    key = place + "/gateway-device.json"
    for given, word in (
        ({"server_security": "none", "server": "x"}, "ue_service_id is missing"),
        ({"server_security": "none", "ue_service_id": GATEWAY}, "server is missing"),
        ({"key_file": key, "ue_service_id": "else@example.org"}, "is the key of " + GATEWAY),
        ({"key_file": key}, "server is missing"),
        ({"key_file": place + "/none.json"}, "there is no file"),
    ):
        keys = {"master_secret": "00" * 16, "sender_id": "01", "recipient_id": ""}
        device = {"ue_service_id": GATEWAY, "gateway_ue_service_id": "server@example.org", "oscore": keys}
        flash.write(place, "gateway-device.json", json.dumps(device).encode())
        try:
            gateway_board.GatewayBoard(Settings(given))
            raise AssertionError("taken")
        except (BadSettings, provisioning.NotProvisioned) as error:
            assert word in error.args[0], error.args
