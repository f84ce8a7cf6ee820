"""The examples for a gateway's box: a unit, a container, names of serial ports, copies of the database."""

import re
import shutil
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

import pytest

from host_tools.security.contexts import DeviceContexts
from host_tools.security.devices import Devices
from host_tools.store import SqliteStore
from tests.system.processes import MSGIN5G

ROOT = Path(__file__).parents[2]
BOX = ROOT / "docs" / "examples" / "box"
UE = "meter@example.org"
SERVICE_ID = "gateway@example.org"


def test_systemd_takes_the_unit(tmp_path):
    analyze = shutil.which("systemd-analyze")
    if not analyze:
        pytest.skip("systemd-analyze is not here")
    unit = (BOX / "msgin5g-gateway.service").read_text()
    assert "/opt/msgin5g/bin/msgin5g gateway " in unit
    copy = tmp_path / "msgin5g-gateway.service"
    copy.write_text(unit.replace("/opt/msgin5g/bin/msgin5g", str(MSGIN5G)))
    done = subprocess.run([analyze, "verify", copy], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "Unknown" not in done.stderr


def test_the_container_copies_what_is_there():
    lines = (BOX / "Containerfile").read_text().replace("\\\n", " ").splitlines()
    copied = [line.split()[1:-1] for line in lines if line.startswith("COPY ") and "--from" not in line]
    assert copied
    for name in (name for names in copied for name in names):
        assert (ROOT / name).exists(), name
    # What the package is made of, as pyproject.toml says it.
    project = (ROOT / "pyproject.toml").read_text()
    packages = re.search(r"packages = \[(.+)\]", project)
    assert packages
    for name in [*re.findall(r'"([^"]+)"', packages[1]), "pyproject.toml", "README.md", "LICENSE"]:
        assert [name] in copied or name in copied[0], name


def test_the_files_name_each_other_as_they_are():
    compose = (BOX / "compose.yaml").read_text()
    context = re.search(r"context: (\S+)", compose)
    dockerfile = re.search(r"dockerfile: (\S+)", compose)
    assert context and (BOX / context[1]).resolve() == ROOT
    assert dockerfile and (ROOT / dockerfile[1]).exists()
    page = (ROOT / "docs" / "operate.md").read_text()
    for file in BOX.iterdir():
        assert file.name in page, file.name


def test_udev_rules_are_pairs_and_assignments():
    for line in (BOX / "99-msgin5g.rules").read_text().splitlines():
        if line and not line.startswith("#"):
            for part in line.split(", "):
                assert re.fullmatch(r'[A-Z]+(\{\w+\})?(==|\+=|=)"[^"]*"', part), part


@pytest.fixture
def database(tmp_path):
    if not shutil.which("sqlite3"):
        pytest.skip("the program sqlite3 is not here")
    file = tmp_path / "gateway.sqlite"
    with closing(Devices(file, SERVICE_ID)) as devices, devices.enrol(UE, None):
        pass
    return file


def next_number(database):
    # What protects the next message to the device.
    store = SqliteStore(database)
    try:
        context = DeviceContexts(store, SERVICE_ID).of(UE, None)
        number = int.from_bytes(context.take_piv(), "big")
        store.commit()
        return number
    finally:
        store.close()


def script(name, *arguments):
    done = subprocess.run(["/bin/sh", BOX / name, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_copy_that_is_put_back_protects_nothing_with_a_number_that_was_used(database, tmp_path):
    copy = tmp_path / "copy.sqlite"
    script("backup", database, copy)
    assert copy.stat().st_mode & 0o077 == 0
    used = [next_number(database) for _ in range(5)]
    script("restore", copy, database)
    assert next_number(database) > max(used) + 2**29
    assert database.with_name(database.name + ".before").exists()


def test_a_copy_is_made_while_the_database_is_in_use(database, tmp_path):
    with closing(sqlite3.connect(database)) as user:
        user.execute("BEGIN IMMEDIATE")
        script("backup", database, tmp_path / "copy.sqlite")
        user.rollback()
    with closing(sqlite3.connect(tmp_path / "copy.sqlite")) as copy:
        assert copy.execute("SELECT ue_service_id FROM devices").fetchall() == [(UE,)]
