"""Each wrong setting is told with its file, its key, its value and what is allowed."""

import pytest

from host_tools.settings import Coap, GatewaySettings, ServerSettings, SettingsError, load

GATEWAY = 'ue_service_id = "g"\nserver = "s"\n'
CREDENTIAL = '[[credentials]]\nservice_id = "a"\n'


def refused(tmp_path, text, kind):
    path = tmp_path / "x.toml"
    path.write_text(text)
    with pytest.raises(SettingsError) as error:
        load(path, kind)
    said = str(error.value)
    assert said.startswith(f"{path}: ")
    return said.removeprefix(f"{path}: ")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "ue_service_id is missing"),
        ('ue_service_id = "g"', "server is missing"),
        (
            GATEWAY + "prot = 1",
            "prot = 1: there is no such key; there are ue_service_id, server, host, port,",
        ),
        (GATEWAY + "port = 70000", "port = 70000: Expected `int` <= 65535"),
        (GATEWAY + "port = true", "port = True: Expected `int`, got `bool`"),
        (GATEWAY + 'security = "dtls"', 'security = \'dtls\': expected "oscore" or "none"'),
        (GATEWAY + "[coap]\nack_timeout = 1", "coap.ack_timeout = 1: Expected `int` >= 10"),
        (GATEWAY + "[coap]\nmax_retransmit = 11", "coap.max_retransmit = 11: Expected `int` <= 10"),
        (
            GATEWAY + "[coap]\nack = 1",
            "coap.ack = 1: there is no such key; there are ack_timeout, max_retransmit",
        ),
        (GATEWAY + "most_messages = 0", "most_messages = 0: Expected `int` >= 1"),
        ('ue_service_id = ""\nserver = "s"', "ue_service_id = '': Expected `str` of length >= 1"),
        (
            'ue_service_id = "g"\nserver = "s:99999"',
            "server = 's:99999': expected host:port, with a port up to",
        ),
        ('ue_service_id = "g"\nserver = "::1"', "server = '::1': expected host:port"),
    ],
)
def test_a_gateways(tmp_path, text, said):
    assert refused(tmp_path, text, GatewaySettings).startswith(said)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('gateways = ["a", ""]', "gateways[1] = '': Expected `str` of length >= 1"),
        ("[[credentials]]\nroles = []", "credentials[0].service_id is missing"),
        (
            CREDENTIAL + "role = 1",
            "credentials[0].role = 1: there is no such key; there are service_id, token_file,",
        ),
        (
            CREDENTIAL + 'roles = ["as", "king"]',
            'credentials[0].roles[1] = \'king\': expected "as" or "message-gateway"',
        ),
        (
            '[[application_servers]]\nservice_id = "a"\ntarget_uri = "ftp://x"',
            "application_servers[0].target_uri = 'ftp://x': ",
        ),
        ('tls_certificate = "x.pem"', "tls_certificate and tls_key: one needs the other"),
        ('tls_key = "x.pem"', "tls_certificate and tls_key: one needs the other"),
    ],
)
def test_a_servers(tmp_path, text, said):
    assert refused(tmp_path, text, ServerSettings).startswith(said)


def test_a_token_that_was_put_in_the_wrong_place_is_not_told(tmp_path):
    for key in ("token_sha256", "token"):
        said = refused(tmp_path, f'{CREDENTIAL}{key} = "my secret token"', ServerSettings)
        assert said.startswith(f"credentials[0].{key} = ...: ")
        assert "secret" not in said


def test_overrides_win_and_are_checked_too(tmp_path):
    path = tmp_path / "x.toml"
    path.write_text(GATEWAY + "port = 1")
    assert load(path, GatewaySettings, {"port": 2}).port == 2
    with pytest.raises(SettingsError, match="port = 70000"):
        load(path, GatewaySettings, {"port": 70000})


def test_transmission_parameters():
    parameters = Coap(ack_timeout=100, max_retransmit=2).parameters(7)
    assert (parameters.ack_timeout, parameters.max_retransmit, parameters.nstart) == (100, 2, 7)


def test_groups_topics_and_configurations_of_a_server(tmp_path):
    path = tmp_path / "server.toml"
    path.write_text(
        "registration_lifetime = 3600\n"
        "[topics]\nmost_for_one = 5\n"
        '[configuration]\ndomain = "d"\nwritable = true\n'
        '[[groups]]\nservice_id = "g"\nmembers = ["a", "b"]\napplication_servers = ["as"]\n'
        '[[ue_configurations]]\nue_service_id = "a"\nserver = "coap://s"\nue_ids = ["urn:uuid:1"]\nsegment_size = 512\n'
    )
    settings = load(path, ServerSettings)
    assert settings.groups[0].members == ["a", "b"]
    assert (settings.topics.most_for_one, settings.topics.most) == (5, 200_000)
    assert settings.ue_configurations[0].segment_size == 512
    assert settings.registration_lifetime == 3600


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("registration_lifetime = 1", "registration_lifetime = 1: Expected `int` >= 60"),
        ('[[groups]]\nservice_id = "g"', "groups[0].members is missing"),
        ("[topics]\nmost = 0", "topics.most = 0: Expected `int` >= 1"),
        ('[[ue_configurations]]\nue_service_id = "a"', "ue_configurations[0].server is missing"),
        ('[configuration]\nval_service = "a/b"', "configuration.val_service = 'a/b': "),
    ],
)
def test_what_is_wrong_with_groups_topics_and_configurations(tmp_path, text, said):
    assert refused(tmp_path, text, ServerSettings).startswith(said)
