"""The folders below boards/: complete, right, and what the firmware's packages are asked for exists."""

import types

import pytest

from host_tools.boards import board
from host_tools.setup import mpy, packages

NAMES = board.names()


@pytest.fixture(scope="module")
def compiled():
    assert not mpy.compile_all()


def test_all_boards_are_there():
    wanted = {
        "ESP32_GENERIC",
        "ESP32_GENERIC_S3",
        "ESP32_GENERIC_C3",
        "RPI_PICO",
        "RPI_PICO_W",
        "RPI_PICO2_W",
    }
    assert wanted <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_board_is_complete(name):
    assert not board.missing(name)
    assert board.load(name).name == name


@pytest.mark.parametrize("name", NAMES)
def test_its_components_exist_once_each(name):
    components = board.load(name).components
    assert set(components) <= set(packages.components())
    assert len(set(components)) == len(components)
    assert ("espnow" in components) == ("espnow" in board.load(name).links)
    assert ("serial" in components) == ("serial" in board.load(name).links)


def test_a_machine_is_one_board():
    for name in NAMES:
        kind = board.load(name)
        assert [one.name for one in board.of_machine(kind.pretence().machine)] == [name]


@pytest.mark.parametrize("name", NAMES)
def test_its_manifest_freezes_its_components(name, monkeypatch, compiled):
    frozen = set()
    options = types.SimpleNamespace(components="", board="", bundled=False)

    def include(path, **given):
        if "../manifest.py" not in path:
            return
        options.components = ""
        options.defaults = lambda **_: None
        vars(options).update(given)
        monkeypatch.chdir(board.FOLDER)
        names = {"options": options, "include": include, "package": package}
        exec((board.FOLDER / "manifest.py").read_text(), names)

    def package(name, files=None, base_path=""):
        frozen.update(files or ())

    exec((board.FOLDER / name / "manifest.py").read_text(), {"include": include})
    for module in ("client.py", "coap/endpoint.py", "store/flash.py"):
        assert module in frozen
    assert ("link/espnow.py" in frozen) == ("espnow" in board.load(name).links)


def test_what_is_missing_is_said(tmp_path):
    (tmp_path / "MINE").mkdir()
    (tmp_path / "MINE" / "board.toml").write_text('title = "x"\n')
    assert board.missing("MINE", tmp_path) == ["manifest.py", "README.md"]
    with pytest.raises(board.BoardError, match="missing required field `chip`"):
        board.load("MINE", tmp_path)


def test_an_unknown_board_is_told_the_known_ones():
    with pytest.raises(board.BoardError, match="there is no board 'NONE'; there are ESP32_GENERIC, "):
        board.load("NONE")


@pytest.mark.parametrize(
    ("line", "instead", "complaint"),
    [
        ('link = "wifi"', 'link = "serial"\n', None),
        ('links = ["wifi", "serial", "espnow"]', 'links = ["serial"]', "is none of its links"),
        ("file_system = 2097152", "file_system = 4194304", "as large as its flash"),
        ("rx = 16", "rx = 17", "tx and rx are the same"),
        ("offset = 0x1000", "", "where MicroPython begins"),
        ('machine = "* with ESP32"', 'machine = "another"', "is no such machine"),
        ("gateway = false", "gateway = false\nspeed = 1", "unknown field `speed`"),
        ('heap = "192K"', 'heap = "much"', "regex"),
    ],
)
def test_a_mistake_is_named(tmp_path, line, instead, complaint):
    text = (board.FOLDER / "ESP32_GENERIC" / "board.toml").read_text()
    assert line in text
    (tmp_path / "MINE").mkdir()
    (tmp_path / "MINE" / "board.toml").write_text(text.replace(line, instead, 1))
    if complaint is None:
        assert board.load("MINE", tmp_path).link == "serial"
    else:
        with pytest.raises(board.BoardError, match=complaint):
            board.load("MINE", tmp_path)
