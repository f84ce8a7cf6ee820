"""`msgin5g capture` beside a running gateway, with a board and an Application Server."""

import asyncio
import json
import shutil
import signal
import stat
import subprocess

import pytest
from msgin5g.coap.message import Message

from tests.operate.pcapng_reader import Capture
from tests.system.processes import until

UE = "meter@example.org"
SECRET = "a payload that is nobody's business"


class Recording:
    """`msgin5g capture` into a file, that has begun."""

    def __init__(self, place, gateway, *options):
        self.file = place.directory / "capture.pcapng"
        self._program = place.program("capture", gateway.file, "-w", self.file, *options)

    async def begin(self):
        self.file.unlink(missing_ok=True)
        await self._program.start()
        await until(
            lambda: (self.file.exists() and self.file.stat().st_size) or not self._program.running,
            self._program.errors,
        )
        return self

    def text(self):
        return self._program.errors()

    async def end(self):
        # As Ctrl-C does.
        assert await self._program.end(signal.SIGINT) == 0, self.text()
        told = json.loads(self._program.lines[-1])
        capture = Capture(self.file.read_bytes())
        assert told["packets"] == len(capture.packets) and told["dropped"] == 0
        return capture


async def exchange(board, application_server, payload=SECRET):
    message_id = await board.send(payload, **{"as": "as@example.org"})
    await board.state(message_id, "delivered")


async def a_recorded_exchange(place, *options, security="oscore"):
    gateway, server = await place.gateway_and_server(security=security)
    application_server = await place.application_server(server)
    board = await place.board(UE, gateway)
    recording = await Recording(place, gateway, *options).begin()
    await exchange(board, application_server)
    return gateway, await recording.end(), recording


def coap_of(packets):
    decoded = []
    for packet in packets:
        message = Message()
        message.decode(packet.payload, len(packet.payload))
        decoded.append(message)
    return decoded


async def test_both_sides_are_in_the_file_and_oscore_stays_closed(place):
    gateway, capture, recording = await a_recorded_exchange(place)
    assert {"clients", "server"} <= set(capture.interfaces)
    clients = capture.on("clients")
    assert {packet.inbound for packet in clients} == {True, False}
    at_gateway = {packet.destination if packet.inbound else packet.source for packet in clients}
    assert at_gateway == {("127.0.0.1", gateway.port)}
    assert SECRET.encode() not in recording.file.read_bytes()
    assert any(message.oscore() is not None for message in coap_of(clients))
    assert "--decrypted" in recording.text() and f"udp.port=={gateway.port},coap" in recording.text()
    assert stat.S_IMODE(recording.file.stat().st_mode) == 0o600


async def test_decrypted_has_what_is_inside_with_a_warning(place):
    gateway, capture, recording = await a_recorded_exchange(place, "--decrypted")
    for interface in ("clients", "server"):
        messages = coap_of(capture.on(interface))
        assert any(SECRET.encode() in bytes(message.payload()) for message in messages), interface
    # A request and the response to it belong together.
    clients = capture.on("clients")
    asked = next(packet for packet in clients if SECRET.encode() in packet.payload)
    answers = [
        packet for packet in clients if packet.payload[2:4] == asked.payload[2:4] and packet is not asked
    ]
    assert answers and answers[0].payload[1] == 0x44
    assert "WARNING" in recording.text() and "payloads" in recording.text()
    assert stat.S_IMODE(recording.file.stat().st_mode) == 0o600


@pytest.mark.parametrize("decrypted", [True, False])
async def test_what_is_inside_dtls_is_an_interface_of_its_own(place, decrypted):
    server = await place.server(dtls=True)
    gateway = await place.gateway(server, uplink="dtls")
    application_server = await place.application_server(server)
    board = await place.board(UE, gateway)
    recording = await Recording(place, gateway, *["--decrypted"] * decrypted).begin()
    await exchange(board, application_server)
    capture = await recording.end()
    assert capture.on("server")
    assert not any(SECRET.encode() in packet.payload for packet in capture.on("server"))
    inside = capture.on("server inside DTLS")
    assert any(SECRET.encode() in packet.payload for packet in inside) == decrypted
    assert ("dtls.psk" in recording.text()) == (not decrypted)


async def test_of_one_ue(place):
    gateway, server = await place.gateway_and_server()
    application_server = await place.application_server(server)
    board = await place.board(UE, gateway)
    other = await place.board("other@example.org", gateway)
    recording = await Recording(place, gateway, "--ue", UE, "--decrypted").begin()
    await exchange(other, application_server, "of the other")
    await exchange(board, application_server, "of the one")
    capture = await recording.end()
    assert capture.interfaces == ["clients"]
    octets = recording.file.read_bytes()
    assert b"of the one" in octets and b"of the other" not in octets


async def test_a_gateway_goes_on_when_a_reader_is_killed_and_ends_with_one(place):
    gateway, server = await place.gateway_and_server()
    application_server = await place.application_server(server)
    board = await place.board(UE, gateway)
    one = await Recording(place, gateway).begin()
    await one._program.kill()
    await until(lambda: '"capture ends"' in gateway.errors(), gateway.errors)
    other = await Recording(place, gateway).begin()
    await exchange(board, application_server)
    assert await gateway.end() == 0
    assert await other._program.ended() == 0, other.text()
    assert Capture(other.file.read_bytes()).packets


async def test_it_ends_by_itself(place):
    gateway, _ = await place.gateway_and_server()
    program = place.program("capture", gateway.file, "-w", place.directory / "short.pcapng", "--seconds", 0.2)
    assert await program.run() == 0, program.errors()
    Capture((place.directory / "short.pcapng").read_bytes())


async def test_a_ue_that_nobody_knows_is_told(place):
    gateway, _ = await place.gateway_and_server()
    file = place.directory / "x.pcapng"
    program = place.program("capture", gateway.file, "-w", file, "--ue", UE)
    assert await program.run() == 2
    assert f"--ue {UE}: nobody of that name" in program.errors() and not file.exists()
    gateway.enrol(UE, place.directory / "device.json")
    program = place.program("capture", gateway.file, "-w", file, "--ue", UE, "--seconds", 0.1)
    assert await program.run() == 0, program.errors()
    assert "not registered now" in program.errors()


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [((), "-w FILE or --stdout"), (("-w", "x", "--stdout"), "-w FILE or --stdout")],
)
async def test_a_place_to_write_to_is_needed(place, arguments, reason):
    program = place.program("capture", "gateway.toml", *arguments)
    assert await program.run() == 2
    assert reason in program.errors()


async def test_a_gateway_that_does_not_run_is_told(place):
    gateway, _ = await place.gateway_and_server()
    await gateway.end()
    program = place.program("capture", gateway.file, "-w", place.directory / "x.pcapng")
    assert await program.run() == 2
    assert "does it run?" in program.errors()
    assert not (place.directory / "x.pcapng").exists()


async def test_tshark_opens_it_and_takes_the_message_apart(place):
    tshark = shutil.which("tshark")
    if not tshark:
        pytest.skip("tshark is not here (Debian package tshark)")
    gateway, capture, recording = await a_recorded_exchange(place, "--decrypted")
    done = await asyncio.to_thread(
        subprocess.run,
        [tshark, "-r", recording.file, "-d", f"udp.port=={gateway.port},coap", "-V"],
        capture_output=True,
        text=True,
        check=True,
    )
    told = done.stdout
    assert "Interface name: clients" in told and "Interface name: server" in told
    assert "Uri-Path: msgin5g" in told and f"String value: {SECRET}" in told
    assert "Malformed" not in told
