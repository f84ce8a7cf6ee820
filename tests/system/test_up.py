"""The command line as a user meets it: `up`, `send`, `watch`, `gateway`, `server`, and every mistake."""

import json
import signal
import stat
from pathlib import Path

import httpx2
import pytest
import structlog
from typer.testing import CliRunner

from host_tools import cli
from host_tools.settings import SettingsError
from tests.system.processes import ACK_TIMEOUT, free_ports, until

UE, OTHER, AS = "ue@example.org", "other@example.org", "as@example.org"


class Lab:
    """`msgin5g up`, and `send` and `watch` against it."""

    def __init__(self, place, *options):
        self._place = place
        environment = {"TMPDIR": str(place.directory)}
        self.program = place.program("up", "--ack-timeout", ACK_TIMEOUT, *options, environment=environment)
        self.told = {}

    async def start(self):
        await self.program.start()
        self.told = await self.program.line()
        return self

    def as_ue(self, *arguments):
        """With a key of its own, or, in a lab without protection, just so."""
        how = ["--lab", self.told["dir"]]
        if self.told["security"] == "none":
            how = ["--gateway", self.told["gateway"]["coap"], "--security", "none"]
        return self._place.program(*arguments, *how)

    def as_as(self, *arguments, token=None):
        environment = {"MSGIN5G_TOKEN": token or self.told["server"]["as_token"]}
        return self._place.program(
            *arguments, "--server", self.told["server"]["rest"], environment=environment
        )

    def metric(self, name):
        text = httpx2.get(self.told["server"]["rest"] + "/metrics", trust_env=False).text
        return next(float(line.split()[1]) for line in text.splitlines() if line.startswith(name + " "))


@pytest.fixture
async def lab(place):
    return await Lab(place, "--dir", place.directory / "lab").start()


@pytest.fixture
def command():
    """`msgin5g` in this process, with a mistake in it: what its user is told."""

    def command(*arguments):
        result = CliRunner().invoke(
            cli.app, list(map(str, arguments)), env={"MSGIN5G_TOKEN": "", "TERM": "dumb", "COLUMNS": "400"}
        )
        if result.exit_code == 2:
            return result.output
        assert isinstance(result.exception, cli.Failed | SettingsError), result.exc_info
        return str(result.exception)

    yield command
    # It logged to what the runner took for standard error.
    structlog.reset_defaults()


def outcome(program):
    """The only line that `send` prints."""
    assert len(program.lines) == 1, program.errors()
    return json.loads(program.lines[0])


def mistake(program, status):
    """What a user is told on standard error: one line."""
    assert status == 2, (status, program.errors())
    lines = program.errors().splitlines()
    assert len(lines) == 1 and lines[0].startswith("msgin5g: "), lines
    return lines[0]


async def watching(program):
    """Start `watch`; returns when it is registered."""
    await program.start()
    assert (await program.line())["event"] == "registered"
    return program


# -- up


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_up_tells_where_everything_is_and_ends_when_told(place, number):
    lab = await Lab(place).start()
    assert sorted(lab.told) == ["dir", "gateway", "security", "server"]
    assert lab.told["security"] == "oscore"
    assert sorted(lab.told["server"]) == ["as_token", "coap", "rest"]
    assert sorted(lab.told["gateway"]) == ["coap", "http", "operator_key_file"]
    assert lab.told["server"]["coap"].startswith("coap://127.0.0.1:")
    assert httpx2.get(lab.told["server"]["rest"] + "/healthz", trust_env=False).text == "ok\n"
    assert await lab.program.end(number) == 0
    assert len(lab.program.lines) == 1
    assert "NOT PROTECTED" not in lab.program.errors()


async def test_without_protection_up_says_so_and_takes_whoever_comes(place):
    lab = await Lab(place, "--security", "none").start()
    assert lab.told["security"] == "none"
    assert lab.program.errors().count("NOT PROTECTED") == 3
    watch = await watching(lab.as_ue("watch", "--as", UE, "--count", "1"))
    assert await lab.as_ue("send", "x", "--as", OTHER, "--to-ue", UE).run() == 0
    assert (await watch.line(1))["payload"] == "x"


async def test_files_are_readable_by_their_owner_only_and_the_token_is_in_no_log(lab, place):
    send = lab.as_as("send", "x", "--as", AS, "--to-ue", UE, "--no-report", "--log", "debug")
    assert await send.run() == 0
    send = lab.as_ue("send", "x", "--as", UE, "--to-as", AS, "--no-report", "--log", "debug")
    assert await send.run() == 0
    files = [file for file in (place.directory / "lab").rglob("*") if file.is_file()]
    assert {"as_token", "gateway.sqlite", "server.sqlite", "gateway-device.json", "device.json"} <= {
        file.name for file in files
    }
    for file in files:
        assert stat.S_IMODE(file.stat().st_mode) == 0o600, file
    assert await lab.program.end() == 0
    token = lab.told["server"]["as_token"]
    secrets = [token]
    for file in files:
        if file.suffix == ".json":
            secrets += [value for value in json.loads(file.read_text())["oscore"].values() if len(value) > 8]
    assert len(secrets) == 5
    assert (place.directory / "lab" / "as_token").read_text().strip() == token
    for log in place.directory.glob("*.log"):
        for secret in secrets:
            assert secret not in log.read_text()


async def test_up_again_on_the_same_folder_goes_on_where_it_was(place):
    options = ["--dir", place.directory / "lab"]
    names = ("--server-port", "--rest-port", "--gateway-port", "--page-port")
    for name, number in zip(names, free_ports(len(names)), strict=True):
        options += [name, number]
    lab = await Lab(place, *options).start()
    watch = await watching(lab.as_as("watch", "--as", AS))
    await watch.kill()
    # It stays registered, and what is sent to it stays stored.
    send = lab.as_ue("send", "for later", "--as", UE, "--to-as", AS, "--no-report")
    assert await send.run() == 0
    assert await lab.program.end() == 0
    told = lab.told
    lab = await Lab(place, *options).start()
    assert lab.told == told
    assert lab.metric("msgin5g_server_application_servers") == 1
    watch = await watching(lab.as_as("watch", "--as", AS, "--count", "1"))
    assert (await watch.line(1))["payload"] == "for later"
    assert await watch.ended() == 0


# Any file will do for a token.
TOKEN_FILE = str(Path(__file__).parents[2] / "LICENSE")

UNPROTECTED = ("--security", "none")

WRONG_FLAGS = [
    (["up", "--security", "dtls"], "'none'"),
    (["up", "--server-port", "65536"], "--server-port"),
    (["up", "--ack-timeout", "0"], "--ack-timeout"),
    (["up", "--log", "loud"], "--log"),
    (["send", "x", "--as", UE], "--gateway"),
    (
        ["send", "x", "--as", UE, "--gateway", "127.0.0.1:1", "--server", "http://127.0.0.1:1"],
        "--gateway",
    ),
    (["send", "x", "--as", UE, *UNPROTECTED, "--gateway", "127.0.0.1:1"], "--to-ue"),
    (
        ["send", "x", "--as", UE, *UNPROTECTED, "--gateway", "127.0.0.1:1", "--to-ue", "a", "--to-as", "b"],
        "--to-as",
    ),
    (["send", "x", "--as", UE, *UNPROTECTED, "--gateway", "127.0.0.1:x", "--to-ue", "a"], "127.0.0.1:x"),
    (
        ["send", "x", "--as", UE, *UNPROTECTED, "--gateway", "no-such-host.invalid", "--to-ue", "a"],
        "no-such-host.invalid",
    ),
    (["send", "x", "--as", UE, "--gateway", "127.0.0.1:1", "--to-ue", "a"], "--device FILE"),
    (["send", "x", "--device", "none.json", "--to-ue", "a"], "none.json"),
    (["send", "x", "--device", TOKEN_FILE, "--to-ue", "a"], "is not JSON"),
    (["send", "x", "--as", UE, "--lab", "no-such-folder", "--to-ue", "a"], "no-such-folder"),
    (["send", "x", "--lab", "no-such-folder", "--to-ue", "a"], "--as"),
    (["send", "x", "--device", "a.json", *UNPROTECTED, "--to-ue", "a"], "--security none"),
    (["send", "x", "--as", AS, "--server", "http://127.0.0.1:1", "--to-ue", "a"], "MSGIN5G_TOKEN"),
    (
        ["send", "x", "--as", AS, "--server", "127.0.0.1:1", "--token-file", TOKEN_FILE, "--to-ue", "a"],
        "--server",
    ),
    (
        [
            "send",
            "x",
            "--as",
            AS,
            "--server",
            "http://127.0.0.1:1",
            "--token-file",
            TOKEN_FILE,
            "--to-as",
            "a",
        ],
        "--to-ue",
    ),
    (["watch", "--as", AS], "--gateway"),
    (
        [
            "watch",
            "--as",
            AS,
            "--server",
            "http://127.0.0.1:1",
            "--token-file",
            TOKEN_FILE,
            "--listen",
            "x:y",
        ],
        "--listen",
    ),
    (["send", "x", "--as", "", "--gateway", "127.0.0.1:1", "--to-ue", "a"], "--as"),
    (["send", "x", "--as", "u" * 256, "--gateway", "127.0.0.1:1", "--to-ue", "a"], "--as"),
]


@pytest.mark.parametrize(("arguments", "told"), WRONG_FLAGS)
def test_a_wrong_flag_is_named(command, arguments, told):
    assert told in command(*arguments)


async def test_a_mistake_is_one_line_and_status_2(place):
    program = place.program("send", "x", "--as", UE)
    assert "--gateway" in mistake(program, await program.run())


# -- send and watch


async def test_from_ue_to_as(lab):
    watch = await watching(lab.as_as("watch", "--as", AS, "--count", "1"))
    send = lab.as_ue("send", "23.5 °C", "--as", UE, "--to-as", AS)
    assert await send.run() == 0
    told = outcome(send)
    assert (told["ok"], told["state"]) == (True, "delivered")
    message = await watch.line(1)
    assert message["payload"] == "23.5 °C" and message["originator"] == UE
    assert message["message_id"] == told["message_id"]
    assert await watch.ended() == 0


async def test_from_as_to_ue(lab):
    watch = await watching(lab.as_ue("watch", "--as", UE, "--count", "1"))
    send = lab.as_as("send", "on", "--as", AS, "--to-ue", UE)
    assert await send.run() == 0
    assert outcome(send)["ok"] is True
    message = await watch.line(1)
    assert message["payload"] == "on" and message["originator"] == AS
    assert await watch.ended() == 0


async def test_from_ue_to_ue(lab):
    watch = await watching(lab.as_ue("watch", "--as", UE, "--count", "1"))
    send = lab.as_ue("send", "-", "--as", OTHER, "--to-ue", UE)
    assert await send.run("from standard input") == 0
    assert outcome(send)["state"] == "delivered"
    assert (await watch.line(1))["payload"] == "from standard input"
    assert await watch.ended() == 0


async def test_watch_ends_when_told_and_de_registers(lab):
    watch = await watching(lab.as_ue("watch", "--as", UE))
    assert lab.metric("msgin5g_server_ues") == 2
    assert await watch.end(signal.SIGINT) in {0, 130}
    assert "Traceback" not in watch.errors()
    await until(lambda: lab.metric("msgin5g_server_ues") == 1, "de-registered")
    watch = await watching(lab.as_as("watch", "--as", AS))
    assert await watch.end(signal.SIGTERM) in {0, 130}
    assert "Traceback" not in watch.errors()
    await until(lambda: lab.metric("msgin5g_server_application_servers") == 0, "de-registered")


async def test_for_a_recipient_that_nobody_knows_a_message_is_stored_and_no_report_comes(lab):
    send = lab.as_ue("send", "x", "--as", UE, "--to-ue", "nobody@example.org", "--wait", "1.5")
    assert await send.run() == 1
    told = outcome(send)
    assert not told["ok"] and told["state"] == "accepted" and "1.5 s" in told["error"]
    send = lab.as_as("send", "x", "--as", AS, "--to-ue", "nobody@example.org", "--wait", "1.5")
    assert await send.run() == 1
    told = outcome(send)
    assert not told["ok"] and told["status"] == "DELY_STORED" and "1.5 s" in told["error"]
    send = lab.as_ue("send", "x", "--as", UE, "--to-as", "nobody@example.org", "--no-report")
    assert await send.run() == 0
    assert outcome(send)["state"] == "accepted"


async def test_a_payload_too_long_for_one_message_goes_in_segments(lab):
    send = lab.as_ue("send", "-", "--as", UE, "--to-as", AS, "--no-report")
    assert await send.run("x" * 70000) == 0
    assert outcome(send)["state"] == "accepted"


async def test_no_gateway_there(place):
    send = place.program(
        *("send", "x", "--as", UE, "--gateway", "127.0.0.1:9", "--security", "none", "--to-as", AS),
        *("--wait", "0.5"),
    )
    assert await send.run() == 1
    told = outcome(send)
    assert told["ok"] is False and "0.5 s" in told["error"] and "127.0.0.1:9" in told["error"]
    assert "Traceback" not in send.errors()


async def test_no_server_there(place):
    send = place.program(
        *("send", "x", "--as", AS, "--server", "http://127.0.0.1:9", "--to-ue", UE, "--wait", "0.5"),
        environment={"MSGIN5G_TOKEN": "t"},
    )
    assert await send.run() == 1
    told = outcome(send)
    assert told["ok"] is False and "127.0.0.1:9" in told["error"]
    assert "Traceback" not in send.errors()


async def test_a_wrong_token_is_refused(lab):
    send = lab.as_as("send", "x", "--as", AS, "--to-ue", UE, token="wrong")
    assert await send.run() == 1
    assert outcome(send)["error"].startswith("401")
    watch = lab.as_as("watch", "--as", AS, token="wrong")
    assert "401" in mistake(watch, await watch.run())


async def test_a_name_that_somebody_else_holds_is_refused(place):
    lab = await Lab(place, "--security", "none").start()
    await watching(lab.as_ue("watch", "--as", UE))
    send = lab.as_ue("send", "x", "--as", UE, "--to-as", AS)
    assert await send.run() == 1
    assert "UE_SERVICE_ID_NOT_OWNED" in outcome(send)["error"]
    watch = lab.as_ue("watch", "--as", UE)
    assert "UE_SERVICE_ID_NOT_OWNED" in mistake(watch, await watch.run())


# -- gateway and server


BAD_SETTINGS = [
    ("server", "prot = 1", ["prot = 1", "no such key"]),
    ("server", 'port = "x"', ["port", "'x'", "int"]),
    ("server", "port = 70000", ["port", "70000", "65535"]),
    ("server", "[[credentials]]\nservice_id = 'a'\ntoken_file = 'none'", ["none"]),
    ("server", "[[credentials]]\nservice_id = 'a'", ["token"]),
    ("server", "database = 'none/x.sqlite'", ["none/x.sqlite"]),
    ("server", "host = '192.0.2.1'", ["192.0.2.1"]),
    ("server", "tls_certificate = 'x'", ["tls_certificate and tls_key"]),
    ("gateway", "", ["ue_service_id"]),
    ("gateway", "ue_service_id = 'g'\nserver = 'a:b'\nport = 0", ["server", "a:b", "host:port"]),
    (
        "gateway",
        "ue_service_id = 'g'\nserver = 'no-such-host.invalid'\nserver_security = 'none'\nport = 0",
        ["no-such-host.invalid"],
    ),
    ("gateway", None, ["No such file"]),
    ("gateway", "ue_service_id = 'g'\nserver = '127.0.0.1'", ["key_file", "gateway-device.json", "enrol"]),
]


@pytest.mark.parametrize(("kind", "text", "told"), BAD_SETTINGS)
def test_bad_settings_are_told_in_one_line(command, tmp_path, kind, text, told):
    path = tmp_path / "x.toml"
    if text is not None:
        path.write_text("port = 0\n" * ("port" not in text) + "http_port = 0\n" + text)
    line = command(kind, path)
    assert line.startswith(f"{path}: ") and "\n" not in line
    for word in told:
        assert word in line


@pytest.mark.parametrize("kind", ["gateway", "server"])
async def test_bad_settings_end_the_process_with_status_2(place, kind):
    path = place.directory / "x.toml"
    path.write_text("prot = 1")
    program = place.program(kind, path)
    assert "prot = 1" in mistake(program, await program.run())
    assert program.lines == []


async def test_a_port_that_is_taken_is_named(place):
    gateway, server = await place.gateway_and_server()
    for daemon, port in (
        (gateway, gateway.port),
        (gateway, gateway.http_port),
        (server, server.port),
        (server, server.http_port),
    ):
        text = daemon.file.read_text().replace(".sqlite", "-2.sqlite")
        for own in (daemon.port, daemon.http_port):
            if own != port:
                text = text.replace(f"port = {own}\n", "port = 0\n")
        path = place.directory / "second.toml"
        path.write_text(text)
        program = place.program(daemon.file.stem, path)
        line = mistake(program, await program.run())
        assert f"127.0.0.1:{port}" in line and "in use" in line


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_gateway_and_server_end_when_told(place, number):
    gateway, server = await place.gateway_and_server()
    assert httpx2.get(server.url + "/healthz", trust_env=False).status_code == 200
    await until(lambda: httpx2.get(gateway.url + "/healthz", trust_env=False).status_code == 200, "healthy")
    assert await gateway.end(number) == 0
    assert await server.end(number) == 0
