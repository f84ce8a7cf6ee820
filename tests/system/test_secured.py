"""Keys at real processes: enrolled and revoked while they run, wrong, unknown and missing ones, and restarts."""

import json
import socket
import stat

import pytest
from msgin5g import messages, wire
from msgin5g.coap import numbers
from msgin5g.coap.message import dotted, encode, encode_options, uri_options

from tests.system.processes import until
from tests.system.tap import Tap

UE, OTHER, AS = "ue@example.org", "other@example.org", "as@example.org"


@pytest.fixture
async def site(place):
    """A gateway, its server, and an Application Server."""
    gateway, server = await place.gateway_and_server()
    return gateway, server, await place.application_server(server, AS)


def refusals(daemon, word):
    """The log lines about requests that were refused for a reason."""
    lines = [json.loads(line) for line in daemon.errors().splitlines() if line.startswith("{")]
    return [one for one in lines if one["event"] == "request refused" and one["reason"] == word]


async def enrolled(place, daemon, ue, file="device.json"):
    """`msgin5g enrol` of a device; returns its file."""
    out = place.directory / file
    program = place.program("enrol", daemon.file, ue, "--out", out)
    assert await program.run() == 0, program.errors()
    assert json.loads(program.lines[0]) == {"enrolled": ue, "at": daemon.service_id, "file": str(out)}
    return out


async def test_a_device_is_enrolled_sends_and_is_revoked_while_the_gateway_runs(place, site):
    gateway, server, application_server = site
    device = await enrolled(place, gateway, UE)
    assert stat.S_IMODE(device.stat().st_mode) == 0o600
    send = place.program("send", "hello", "--device", device, "--to-as", AS)
    assert await send.run() == 0, send.errors()
    assert application_server.received() == ["hello"]
    again = place.program("enrol", gateway.file, UE, "--out", place.directory / "again.json")
    assert await again.run() == 2 and "is enrolled already" in again.errors()
    assert not (place.directory / "again.json").exists()

    watch = place.program("watch", "--device", device)
    await watch.start()
    assert (await watch.line())["event"] == "registered"
    revoke = place.program("revoke", gateway.file, UE)
    assert await revoke.run() == 0
    # It is not even registered any more, though it has said nothing.
    await until(lambda: gateway.metrics()["clients"] == 0, "de-registered at the gateway")
    await until(lambda: server.metrics()["ues"] == 1, "de-registered at the server")
    await watch.kill()
    send = place.program("send", "again", "--device", device, "--to-as", AS, "--wait", "2")
    assert await send.run() == 1
    assert "revoked" in json.loads(send.lines[0])["error"]
    assert gateway.metrics()["down_oscore_revoked"] > 0
    assert refusals(gateway, "revoked")[0]["ue"] == UE
    assert application_server.received() == ["hello"]

    listing = place.program("devices", gateway.file, "--json")
    assert await listing.run() == 0
    assert [json.loads(line)["state"] for line in listing.lines] == ["revoked"]
    # With another key it is let in again, and the old one stays worthless.
    fresh = await enrolled(place, gateway, UE, "fresh.json")
    send = place.program("send", "anew", "--device", fresh, "--to-as", AS)
    assert await send.run() == 0
    send = place.program("send", "old key", "--device", device, "--to-as", AS, "--wait", "1")
    assert await send.run() == 1
    assert application_server.received() == ["hello", "anew"]
    secrets = [json.loads(file.read_text())["oscore"]["master_secret"] for file in (device, fresh)]
    for log in place.directory.glob("*.log"):
        assert not [secret for secret in secrets if secret in log.read_text()]


async def test_a_wrong_key_and_an_unknown_device_are_refused_counted_and_told(place, site):
    gateway, _, application_server = site
    device = await enrolled(place, gateway, UE)
    given = json.loads(device.read_text())
    wrong = place.directory / "wrong.json"
    keys = given["oscore"] | {"master_secret": "00" * 16}
    wrong.write_text(json.dumps(given | {"oscore": keys}))
    unknown = place.directory / "unknown.json"
    unknown.write_text(json.dumps(given | {"oscore": given["oscore"] | {"sender_id": "ee"}}))
    for file in (wrong, unknown):
        send = place.program("send", "x", "--device", file, "--to-as", AS, "--wait", "1")
        assert await send.run() == 1
        assert "that can be believed" in json.loads(send.lines[0])["error"]
    counts = gateway.metrics()
    assert counts["down_oscore_forged"] > 0 and counts["down_oscore_unknown_context"] > 0
    assert refusals(gateway, "forged")[0]["ue"] == UE
    assert refusals(gateway, "unknown_context")[0]["kid"] == "ee"
    send = place.program("send", "right", "--device", device, "--to-as", AS)
    assert await send.run() == 0
    assert application_server.received() == ["right"]


async def test_what_is_not_protected_or_comes_again_is_refused(place, site):
    gateway, server, application_server = site
    body = messages.encode(messages.registration(UE))
    options = encode_options([*uri_options(wire.PATH), (numbers.CONTENT_FORMAT, numbers.JSON)])
    for daemon, prefix in ((gateway, "down"), (server, "coap")):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
            one.settimeout(10)
            one.sendto(encode(numbers.CON, numbers.POST, 1, b"t", options, body), daemon.address)
            assert dotted(one.recv(2048)[1]) == "4.01"
        assert daemon.metrics()[f"{prefix}_oscore_unprotected"] == 1
        assert len(refusals(daemon, "unprotected")) == 1
    tap = Tap(gateway.address)
    board = await place.board(UE, tap, by=gateway)
    sent = await board.send("once", **{"as": AS})
    await board.state(sent, "delivered")
    before = gateway.metrics()["messages_up"]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as elsewhere:
        for datagram in tap.up:
            elsewhere.sendto(datagram, gateway.address)
        await until(lambda: gateway.metrics()["down_oscore_replayed"] > 0, "replays are counted")
    tap.close()
    assert gateway.metrics()["messages_up"] == before and application_server.received() == ["once"]


async def test_a_device_behind_a_nat_that_forgets_is_found_with_its_next_message(place, site):
    gateway, _, application_server = site
    tap = Tap(gateway.address)
    board = await place.board(UE, tap, by=gateway)
    tap.rebind()
    sent = await board.send("from elsewhere", **{"as": AS})
    await board.state(sent, "delivered")
    assert '"client moved"' in gateway.errors()
    message_id, _ = await application_server.send("to elsewhere", UE)
    await until(lambda: application_server.report_on(message_id), "report")
    assert board.received() == ["to elsewhere"]
    # It did not have to register for that.
    assert gateway.errors().count('"client registered"') == 1
    tap.close()


async def test_after_a_restart_of_both_messages_go_down_before_anything_comes_up(place, site):
    gateway, server, application_server = site
    boards = [await place.board(ue, gateway) for ue in (UE, OTHER)]
    for daemon in (gateway, server):
        await daemon.kill()
    for daemon in (server, gateway):
        await daemon.start()
    for board in boards:
        message_id, _ = await application_server.send("are you there?", board.ue_service_id)
        await until(lambda message_id=message_id: application_server.report_on(message_id), "report")
        assert board.received() == ["are you there?"]


async def test_a_board_that_was_killed_sends_what_was_stored_and_tells_what_became_of_it(place, site):
    gateway, _, application_server = site
    board = await place.board(UE, gateway)
    await gateway.kill()
    stored = [await board.send(f"message {number}", **{"as": AS}) for number in range(5)]
    await board.kill()
    await gateway.start()
    back = await place.board(UE, gateway)
    for message_id in stored:
        await back.state(message_id, "delivered")
    assert application_server.received() == [f"message {number}" for number in range(5)]


async def test_a_gateway_without_a_key_or_with_another_ones_does_not_start(place):
    server = await place.server()
    gateway = await place.gateway(server)
    await gateway.kill()
    key = place.directory / "gateway-device.json"
    given = json.loads(key.read_text())
    for content, word in ((None, "msgin5g enrol"), (given | {"ue_service_id": "else"}, "key of else")):
        key.unlink(missing_ok=True)
        if content:
            key.write_text(json.dumps(content))
        program = place.program("gateway", gateway.file)
        assert await program.run() == 2
        assert "key_file" in program.errors() and word in program.errors()
        assert given["oscore"]["master_secret"] not in program.errors()
    # One that was revoked starts, and is not registered.
    key.write_text(json.dumps(given))
    server.revoke(gateway.service_id)
    await gateway.start()
    await until(lambda: server.metrics()["coap_oscore_revoked"] > 0, "refused")
    assert gateway.metrics()["registered"] == 0
