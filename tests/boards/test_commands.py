"""Every command explains itself, is in the documentation, and those for boards speak JSON."""

import json
from pathlib import Path

import pytest
import typer.main
from command_line import call

from host_tools.cli import app

DOCS = Path(__file__).parents[2] / "docs"
BOARD_COMMANDS = ("boards", "flash", "deploy", "provision", "monitor", "doctor", "update")


def commands(group, *above):
    """All commands below a group, by their words."""
    found = {}
    for name, command in group.commands.items():
        found |= (
            commands(command, *above, name) if hasattr(command, "commands") else {(*above, name): command}
        )
    return found


COMMANDS = commands(typer.main.get_command(app))


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_it_explains_itself_and_what_it_takes(words):
    command = COMMANDS[words]
    call(*words, "--help")
    assert command.help
    for parameter in command.params:
        assert getattr(parameter, "help", None), f"{' '.join(words)}: {parameter.name} is not explained"


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_a_page_has_it(words):
    pages = "".join(page.read_text(encoding="utf-8") for page in DOCS.glob("*.md"))
    assert f"msgin5g {' '.join(words)}" in pages


@pytest.mark.parametrize("name", BOARD_COMMANDS)
def test_those_for_boards_speak_json(name):
    assert "--json" in {word for parameter in COMMANDS[(name,)].params for word in parameter.opts}


def test_the_list_of_boards_is_a_line_of_json_each():
    said = call("boards", "--json").stdout
    assert {json.loads(line)["name"] for line in said.splitlines()} >= {"ESP32_GENERIC", "RPI_PICO"}
