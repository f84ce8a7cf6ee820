# Settings of a gateway on a board.

import flash
from msgin5g.gateway_settings import BadSettings, Settings, read


def why(given):
    try:
        Settings(given, "gateway.json")
    except BadSettings as error:
        return error.args[0]
    raise AssertionError("taken")


def test_what_is_not_said_is_assumed():
    settings = Settings({"server": "192.0.2.1:5683", "most_devices": 20})
    assert (settings.server, settings.most_devices, settings.port) == ("192.0.2.1:5683", 20, 5683)
    assert settings.security == settings.server_security == "oscore"


def test_what_is_wrong_is_named_with_its_value_and_what_is_expected():
    assert why({"sever": "x"}) == "gateway.json: there is no setting sever"
    assert "most_devices = 0: expected a number from 1 to" in why({"most_devices": 0})
    assert "port = '5683'" in why({"port": "5683"}) and "port = True" in why({"port": True})
    assert "server = 7: expected a text" in why({"server": 7}) and "server = ''" in why({"server": ""})
    assert "security = 'dtls'" in why({"security": "dtls"})


def test_a_file_that_cannot_be_used_is_named():
    place = flash.folder().rsplit("/", 1)[0]
    for content, word in (
        (None, "there is no file"),
        (b"nonsense", "is not JSON"),
        (b"[1]", "no JSON object"),
    ):
        if content:
            flash.write(place, "gateway.json", content)
        try:
            read(place + "/gateway.json")
            raise AssertionError("taken")
        except BadSettings as error:
            assert word in error.args[0] and "gateway.json" in error.args[0]
