"""Settings files: what is wrong is named with file, key, value and what is allowed."""

from typing import Any

import pytest

from host_tools.settings import GatewaySettings, ServerSettings, SettingsError, host_and_port, load


@pytest.fixture
def write(tmp_path):
    def write(text):
        path = tmp_path / "x.toml"
        path.write_text(text)
        return path

    return write


def refused(path, kind: Any = ServerSettings):
    with pytest.raises(SettingsError) as error:
        load(path, kind)
    text = str(error.value)
    assert text.startswith(f"{path}: ") and "\n" not in text
    return text.removeprefix(f"{path}: ")


def test_relative_files_are_relative_to_the_settings_file(write, tmp_path):
    path = write('database = "data/x.sqlite"\n[[credentials]]\nservice_id = "a"\ntoken_file = "token"\n')
    settings = load(path, ServerSettings)
    assert settings.database == tmp_path / "data/x.sqlite"
    assert settings.credentials[0].token_file == tmp_path / "token"


def test_absolute_files_stay_where_they_are(write):
    assert str(load(write('database = "/var/x.sqlite"'), ServerSettings).database) == "/var/x.sqlite"


def test_files_by_default_are_beside_the_settings_file(write, tmp_path):
    assert load(write(""), ServerSettings).database == tmp_path / "server.sqlite"


def test_an_empty_file_is_a_server_with_defaults_but_a_gateway_needs_two_keys(write):
    path = write("")
    assert load(path, ServerSettings).coap.ack_timeout == 2000
    assert "ue_service_id" in refused(path, GatewaySettings)
    assert "server" in refused(write('ue_service_id = "g"'), GatewaySettings)


@pytest.mark.parametrize(
    ("text", "key", "value"),
    [
        ("port = 65536", "port", "65536"),
        ('port = "5683"', "port", "'5683'"),
        ("database = 7", "database", "7"),
        ('database = ""', "database", "''"),
        ('security = "dtls"', "security", "'dtls'"),
        ("[coap]\nack_timeout = 1", "coap.ack_timeout", "1"),
        ('[[credentials]]\nservice_id = "a"\nroles = ["king"]', "credentials[0].roles[0]", "'king'"),
        ('[[credentials]]\nservice_id = "a"\ntoken_file = 7', "credentials[0].token_file", "7"),
        ('gateways = "g"', "gateways", "'g'"),
        ("gateways = [1]", "gateways[0]", "1"),
        ("coap = 1", "coap", "1"),
    ],
)
def test_a_wrong_value_is_named_with_its_key(write, text, key, value):
    assert refused(write(text)).startswith(f"{key} = {value}: ")


@pytest.mark.parametrize(
    ("text", "key"),
    [("prot = 1", "prot"), ("[coap]\nack_timeuot = 1", "ack_timeuot"), ("[[gateways]]\nx = 1", "")],
)
def test_an_unknown_key_is_named(write, text, key):
    assert key in refused(write(text))


def test_a_file_that_is_not_there_or_not_toml(write, tmp_path):
    assert "No such file" in refused(tmp_path / "none.toml")
    assert "directory" in refused(tmp_path)
    assert "not TOML" in refused(write("port = = 1"))
    path = tmp_path / "binary.toml"
    path.write_bytes(b"\xff\xfe\x00")
    assert "not TOML" in refused(path)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("127.0.0.1:5683", ("127.0.0.1", 5683)),
        ("coap://gateway.example:1", ("gateway.example", 1)),
        ("coap://gateway.example/", ("gateway.example", 5683)),
        ("gateway.example", ("gateway.example", 5683)),
        ("[::1]:99", ("::1", 99)),
        ("[::1]", ("::1", 5683)),
    ],
)
def test_host_and_port(text, parts):
    assert host_and_port(text) == parts


@pytest.mark.parametrize(
    "text", ["", ":5683", "a:b", "a:65536", "http://a:1", "coap://", "a:1/x", "::1", "a b:1"]
)
def test_what_is_not_host_and_port_is_named(text):
    with pytest.raises(SettingsError, match="server"):
        host_and_port(text)


APPLICATION = """
[[applications]]
id = "{}"
number = {}
credential_file = "credential"
"""


@pytest.mark.parametrize(
    ("first", "second", "key"),
    [(("a", 1), ("a", 2), "id"), (("a", 1), ("b", 1), "number"), (("a", 1), ("b", 2), None)],
)
def test_an_application_is_there_once(write, first, second, key):
    text = 'ue_service_id = "g"\nserver = "h:1"\n' + APPLICATION.format(*first) + APPLICATION.format(*second)
    if key:
        assert refused(write(text), GatewaySettings) == f"applications: two have the same {key}"
    else:
        assert [one.id for one in load(write(text), GatewaySettings).applications] == ["a", "b"]


@pytest.mark.parametrize("content", [None, b"", b" \n", b"x" * 256])
def test_a_credential_that_is_not_there_empty_or_too_long(write, tmp_path, content):
    text = 'ue_service_id = "g"\nserver = "h:1"\n' + APPLICATION.format("a", 1)
    (application,) = load(write(text), GatewaySettings).applications
    if content is not None:
        (tmp_path / "credential").write_bytes(content)
    with pytest.raises(SettingsError) as error:
        application.credential()
    expected = "No such file or directory" if content is None else "expected 1 to 255 octets"
    assert str(error.value) == f"{tmp_path / 'credential'}: {expected}"


def test_white_space_around_a_credential_does_not_count(write, tmp_path):
    text = 'ue_service_id = "g"\nserver = "h:1"\n' + APPLICATION.format("a", 1)
    (tmp_path / "credential").write_bytes(b" a secret\n")
    assert load(write(text), GatewaySettings).applications[0].credential() == b"a secret"
