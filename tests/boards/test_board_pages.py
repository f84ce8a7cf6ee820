"""What the page of each board says is what its board.toml says."""

import re

import pytest

from host_tools.boards import board

NAMES = board.names()


def page(name):
    """Its text, whose lines may end anywhere."""
    return re.sub(
        r"(?<!\n)\n(?![\n|#`])", " ", (board.FOLDER / name / "README.md").read_text(encoding="utf-8")
    )


def pin(kind, number):
    """A pin as it is printed on a board."""
    return f"{'GPIO' if kind.platform == 'esp32' else 'GP'}{number}" if isinstance(number, int) else number


@pytest.mark.parametrize("name", NAMES)
def test_the_wiring_is_that_of_the_board(name):
    kind, text = board.load(name), page(name)
    assert f"UART{kind.pins.uart} of the board" in text
    assert re.search(rf"^\| `{pin(kind, kind.pins.tx)}`.*, sends \| RX \|$", text, re.MULTILINE)
    assert re.search(rf"^\| `{pin(kind, kind.pins.rx)}`.*, receives \| TX \|$", text, re.MULTILINE)
    assert "3.3 V" in text


@pytest.mark.parametrize("name", NAMES)
def test_the_led_is_that_of_the_board(name):
    kind, text = board.load(name), page(name)
    if kind.pins.led is None:
        assert "None is known" in text
    else:
        level = "high" if kind.pins.led_on else "low"
        assert f"`{pin(kind, kind.pins.led)}`, which shines at {level} level" in text


@pytest.mark.parametrize("name", NAMES)
def test_the_firmware_is_that_of_the_board(name):
    kind, text = board.load(name), page(name)
    assert f"`{kind.firmware.file}`, from <{kind.firmware.page}>" in text
    if kind.firmware.offset is not None:
        assert f"`{kind.firmware.offset:#x}`" in text
    heap = kind.heap.replace("K", " KiB").replace("M", " MiB")
    assert f"\n{heap} of heap" in text
    assert f"make BOARD={name}" in text and f"boards/{name}/manifest.py" in text


@pytest.mark.parametrize("name", NAMES)
def test_it_says_what_was_not_tried(name):
    assert "Not tried on hardware yet" in page(name)


def test_all_boards_are_in_the_list():
    listed = (board.FOLDER / "README.md").read_text(encoding="utf-8")
    for name in NAMES:
        assert f"[{name}]({name}/README.md)" in listed
