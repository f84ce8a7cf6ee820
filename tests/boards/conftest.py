import pytest
from on_flash import firmware


@pytest.fixture(scope="session")
def library(tmp_path_factory):
    """A folder with what is on every board: its lib and main.py."""
    return firmware(tmp_path_factory.mktemp("files"))


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """A cache folder of the test's own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    folder = tmp_path / "cache" / "msgin5g" / "firmware"
    folder.mkdir(parents=True)
    return folder
