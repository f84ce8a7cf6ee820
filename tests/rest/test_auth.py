"""Credentials as they are configured."""

import pytest

from host_tools.server.rest.auth import Credentials
from host_tools.settings import Credential


def test_token_file(tmp_path):
    (tmp_path / "token").write_text("secret\n")
    credentials = Credentials([Credential(service_id="as1", token_file=tmp_path / "token")])
    from starlette.requests import Request

    request = Request({"type": "http", "headers": [(b"authorization", b"Bearer secret")]})
    assert credentials.of(request).service_id == "as1"


def test_no_token_is_an_error(tmp_path):
    (tmp_path / "empty").write_text("\n")
    for wrong in ({}, {"token_file": tmp_path / "empty"}):
        with pytest.raises(ValueError, match="as1"):
            Credentials([Credential(service_id="as1", **wrong)])


def test_one_token_for_two_is_an_error():
    one = Credential(service_id="as1", token_sha256="00" * 32)
    with pytest.raises(ValueError, match="same token"):
        Credentials([one, one])


def test_a_missing_file_is_an_error(tmp_path):
    with pytest.raises(OSError):
        Credentials([Credential(service_id="as1", token_file=tmp_path / "none")])


def test_the_token_is_not_kept():
    from host_tools.server.rest import auth

    credentials = Credentials([Credential(service_id="as1", token_sha256="ab" * 32)])
    assert "secret" not in repr(vars(credentials)) and auth.Credential.__slots__
