"""Bounds of single devices: set while the gateway runs, noticed within a second."""

import json
import sqlite3
from contextlib import closing

import pytest

from host_tools import cli_limits
from host_tools.cli import Failed
from host_tools.security.limits import Limit, Limits, of_all, put
from host_tools.store import SqliteStore

UE = "ue@a"


@pytest.fixture
def settings(tmp_path):
    path = tmp_path / "gateway.toml"
    path.write_text('ue_service_id = "gw@a"\nserver = "127.0.0.1"\ndatabase = "gateway.sqlite"\n')
    return path


def test_bounds_are_noticed_while_the_gateway_runs(settings, tmp_path, capsys):
    applied = []
    store = SqliteStore(tmp_path / "gateway.sqlite")
    limits = Limits(store, lambda requests, messages: applied.append((requests, messages)))
    assert applied == [({}, {})]
    cli_limits.limit(settings, UE, requests_per_second=3, messages=None, none=False)
    cli_limits.limit(settings, "other", requests_per_second=None, messages=7, none=False)
    limits.look()
    limits.look()
    assert applied[1:] == [({UE: 3}, {"other": 7})]
    assert json.loads(capsys.readouterr().out.splitlines()[0]) == {
        "ue_service_id": UE,
        "requests_per_second": 3,
        "messages": None,
    }
    cli_limits.limit(settings, UE, requests_per_second=None, messages=None, none=True)
    limits.look()
    assert applied[-1] == ({}, {"other": 7})
    cli_limits.limit(settings, None, requests_per_second=None, messages=None, none=False)
    assert [json.loads(line)["ue_service_id"] for line in capsys.readouterr().out.splitlines()[-1:]] == [
        "other"
    ]


@pytest.mark.parametrize(("messages", "none"), [(None, False), (3, True)])
def test_what_is_no_bound_is_refused(settings, messages, none):
    with pytest.raises(Failed, match="--none alone"):
        cli_limits.limit(settings, UE, requests_per_second=None, messages=messages, none=none)


def test_the_later_bound_counts(tmp_path):
    with closing(sqlite3.connect(tmp_path / "a.sqlite", isolation_level=None)) as database:
        put(database, Limit(UE, 1, 2))
        put(database, Limit(UE, None, 5))
        assert of_all(database) == [Limit(UE, None, 5)]
