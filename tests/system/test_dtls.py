"""DTLS and AKMA between gateway and server, in real processes: traffic, kills, loss, other addresses, wrong keys."""

import contextlib
import json
import socket
import stat

import pytest

from host_tools import dtls
from tests.interop.middlebox import MiddleBox
from tests.system.processes import GATEWAY, seed, until

UE, AS = "ue@example.org", "as@example.org"


class Site:
    """A server with a DTLS port, a gateway that uses it, an Application Server and a board."""

    def __init__(self, server, gateway, application_server, board):
        self.server, self.gateway = server, gateway
        self.application_server, self.board = application_server, board

    async def up(self, payload):
        """A message from the board to the Application Server."""
        return await self.board.send(payload, **{"as": AS})

    async def has_all(self, sent, down=True):
        """Wait until all is there that was sent up, and down as "to ..."; fails if anything comes twice."""
        await until(lambda: set(self.application_server.received()) >= set(sent), self._missing(sent), 90)
        assert sorted(self.application_server.received()) == sorted(sent)
        if down:
            wanted = [f"to {one}" for one in sent]
            await until(lambda: set(self.board.received()) >= set(wanted), self.board.received, 90)
            assert sorted(self.board.received()) == sorted(wanted)

    def _missing(self, sent):
        return lambda: sorted(set(sent) - set(self.application_server.received()))

    async def down(self, payload):
        """A message from the Application Server to the board."""
        await self.application_server.send(payload, UE)


@pytest.fixture
async def make(place):
    async def make_(uplink="dtls", through=None, **options):
        server = await place.server(dtls=True)
        options |= {"uplink": uplink}
        if through:
            options["server_port"] = through(server)
        gateway = await place.gateway(server, **options)
        application_server = await place.application_server(server, AS)
        return Site(server, gateway, application_server, await place.board(UE, gateway))

    return make_


def logged(daemon, event):
    lines = [json.loads(line) for line in daemon.errors().splitlines() if line.startswith("{")]
    return [one for one in lines if one["event"] == event]


@pytest.mark.parametrize("uplink", ["dtls", "oscore-akma"])
async def test_messages_go_both_ways(make, uplink):
    site = await make(uplink)
    message = await site.up("up")
    await site.board.state(message, "delivered")
    await site.down("down")
    await until(lambda: site.board.received() == ["down"], site.board.complaints)
    assert site.application_server.received() == ["up"]
    assert bool(site.server.metrics()["dtls_handshakes"]) == (uplink == "dtls")
    log = site.server.errors() + site.gateway.errors()
    keys = json.loads((site.gateway.directory / "gateway-device.json").read_text())
    assert keys["k_akma"] not in log


@pytest.mark.parametrize("who", ["server", "gateway"])
async def test_a_kill_in_mid_traffic_loses_and_doubles_nothing(make, who):
    site = await make()
    sent = []
    for round_ in range(3):
        for number in range(8):
            sent.append(f"{round_}.{number}")
            await site.up(sent[-1])
            await site.down(f"to {sent[-1]}")
        daemon = getattr(site, who)
        await daemon.kill()
        await daemon.start()
    await site.has_all(sent)


async def test_loss_kills_and_other_addresses_together_lose_and_double_nothing(make):
    numbers = seed(1)
    sent, boxes = [], []
    with contextlib.ExitStack() as stack:

        def through(server):
            box = MiddleBox(server.dtls_port, 15, 10, jitter=0.02, seed=numbers.randrange(1 << 30))
            boxes.append(stack.enter_context(box))
            return box.port

        site = await make(through=through)
        (box,) = boxes
        for round_ in range(6):
            for number in range(6):
                sent.append(f"{round_}.{number}")
                await site.up(sent[-1])
                await site.down(f"to {sent[-1]}")
            what = numbers.choice((site.server, site.gateway, None))
            if what:
                await what.kill()
                await what.start()
            else:
                box.rebind(1)
        await site.has_all(sent)
        assert box.lost and box.duplicated


async def test_whoever_is_not_let_in_is_told_so_in_the_logs_of_both_and_counted(place):
    server = await place.server(dtls=True)
    good = place.directory / "good.json"
    server.enrol_akma(GATEWAY, good)
    for wrong, counter in (("k_akma", "wrong_key"), ("a_kid", "unknown_identity")):
        keys = json.loads(good.read_text())
        keys[wrong] = {"k_akma": "00" * 32, "a_kid": "0.ff@example.org"}[wrong]
        (place.directory / f"{wrong}-device.json").write_text(json.dumps(keys))
        gateway = await place.gateway(server, name=wrong, uplink="dtls")
        await until(lambda: server.metrics()[f"dtls_{counter}"] > 0, counter)  # noqa: B023 (it is awaited here)
        await until(lambda: logged(gateway, "handshake failed"), gateway.errors)  # noqa: B023
        assert gateway.metrics()["registered"] == 0
        assert any(one["why"] == counter for one in logged(server, "handshake refused"))
        await gateway.kill()
    assert server.metrics()["dtls_handshakes"] == 0 and server.metrics()["ues"] == 0
    # With the right ones it is let in, and out again when they are revoked.
    (place.directory / "right-device.json").write_text(good.read_text())
    gateway = await place.gateway(server, name="right", uplink="dtls")
    await until(lambda: server.metrics()["ues"] == 1, "registered")
    revoke = place.program("revoke", server.file, GATEWAY)
    assert await revoke.run() == 0
    await until(lambda: server.metrics()["ues"] == 0, "out")
    assert server.metrics()["dtls_sessions"] == 0
    await until(lambda: logged(gateway, "session ended"), gateway.errors)


async def test_a_flood_of_hellos_and_garbage_keeps_nobody_out_and_is_not_remembered(make):
    site = await make()
    numbers = seed(2)
    hello = dtls.Client("x", lambda _suite: None, "localhost").session().outgoing()[0]
    before = site.server.resident()
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) for _ in range(50)]
        for round_ in range(10):
            for _ in range(500):
                datagram = hello if numbers.random() < 0.7 else numbers.randbytes(numbers.randrange(1, 300))
                numbers.choice(sockets).sendto(datagram, ("127.0.0.1", site.server.dtls_port))
            await site.up(f"{round_}")
        await site.has_all([str(round_) for round_ in range(10)], down=False)
    counts = site.server.metrics()
    assert counts["dtls_cookies_sent"] > 1000 and counts["dtls_ignored"] > 100
    assert counts["dtls_sessions"] == 1 and counts["dtls_handshakes_under_way"] == 0
    assert site.server.resident() - before < 20 << 20


async def test_it_is_set_up_with_three_commands(place):
    server = await place.server(dtls=True)
    out = place.directory / "gateway-device.json"
    enrol = place.program("akma", "enrol", server.file, GATEWAY, "--out", out)
    assert await enrol.run() == 0, enrol.errors()
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    gateway = await place.gateway(server, uplink="dtls")
    await until(lambda: gateway.metrics()["registered"] == 1, gateway.errors)
    listing = place.program("akma", "list", server.file, "--json")
    assert await listing.run() == 0
    assert [json.loads(line)["ue_service_id"] for line in listing.lines] == [GATEWAY]
    # A clean end is told, so nobody has to find out.
    assert await gateway.end() == 0
    await until(lambda: server.metrics()["dtls_sessions"] == 0, "told")
