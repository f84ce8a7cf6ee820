"""Nothing but the wire tables spells what is on the wire: names of members, values, paths, response codes."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgin5g import wire, wire_configuration, wire_names, wire_rare
from msgin5g.coap import numbers
from msgin5g.coap.message import dotted

from host_tools.server.rest import wire_api

ROOT = Path(__file__).parents[1]
FILES = sorted(
    path
    for folder in ("firmware/msgin5g", "host_tools")
    for path in (ROOT / folder).rglob("*.py")
    if not path.name.startswith("wire")
)
# Where codes are spelled.
CODES = ROOT / "firmware/msgin5g/coap/numbers.py"


def member_names() -> set[str]:
    """Names that cannot be anything but a member's: of several words, or in camelCase."""
    names = set()
    for line in wire_names.all_lines():
        names.update(line.split("|")[1:])
    names.update(wire_api._MEMBERS.values())
    names.update(value for value in constants(wire_configuration).values() if isinstance(value, str))
    return {name for name in names if " " in name or re.search("[a-z][A-Z]|-.*-|^urn:", name)}


def constants(module) -> dict[str, object]:
    return {
        name: value for name, value in vars(module).items() if name.isupper() and not name.startswith("_")
    }


def paths() -> set[str]:
    found = {
        value for value in constants(wire_api).values() if isinstance(value, str) and value.startswith("/")
    }
    return found | {"/" + wire.PATH}


def values() -> set[str]:
    """Message Types, statuses and causes: in capitals and of more than a letter or two."""
    found = set()
    for module in (wire, wire_rare):
        found.update(
            value for value in constants(module).values() if isinstance(value, str) and value.isupper()
        )
    # "UE" and "AS" are words of this trade: in a text for people they stand alone.
    return {value for value in found if len(value) > 2}


# Codes of responses, as they are printed and as they are on the wire.
RESPONSES = {
    value
    for value in constants(numbers).values()
    if isinstance(value, int) and numbers.CREATED <= value < 0xC0
}
DOTTED = {dotted(code) for code in RESPONSES}
SPELLED = member_names() | paths() | values() | DOTTED


def not_meant(tree: ast.AST) -> set[int]:
    """Docstrings, and masks of bits."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitAnd | ast.BitOr):
            found.update((id(node.left), id(node.right)))
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and node.body:
            first = node.body[0]
            if isinstance(first, ast.Expr):
                found.add(id(first.value))
    return found


def spelled(source: str, codes: bool = True) -> Iterator[tuple[int, object]]:
    """(line, literal) of everything in a source that only the tables may spell."""
    tree = ast.parse(source)
    ignored = not_meant(tree)
    for node in ast.walk(tree):
        if not isinstance(node, ast.Constant) or id(node) in ignored:
            continue
        value = node.value
        if isinstance(value, bytes):
            value = value.decode(errors="replace")
        if isinstance(value, str) and value in SPELLED:
            yield node.lineno, value
        # In hexadecimal it is meant as octets; in decimal it may be any number.
        if (
            codes
            and isinstance(value, int)
            and value in RESPONSES
            and (ast.get_source_segment(source, node) or "").startswith("0x")
        ):
            yield node.lineno, dotted(value)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_it_spells_nothing_of_the_wire(path):
    found = [f"{path}:{line}: {value!r}" for line, value in spelled(path.read_text(), path != CODES)]
    assert not found, "the wire tables have it: " + ", ".join(found)


@pytest.mark.parametrize(
    "source",
    [
        'x = "Message Type"',
        'x = {"msgId": 1}',
        'path = "/msgin5g"',
        'path = "/msgs-msgdelivery/v1/deliver-report"',
        'kind = "IMDN"',
        'if status == "DELY_STORED": pass',
        'code = "4.04"',
        "code = 0x84",
        'data = b"Payload encoding"',
        'text = f"{x}" + "STORE_FULL"',
    ],
)
def test_what_it_finds(source):
    assert list(spelled(source))


@pytest.mark.parametrize(
    "source",
    [
        '"""Message Type"""',
        'def f():\n    "msgId"',
        "x = 132",
        "x = y & 0x3F | 0x80",
        'word = "payload"',
        'log = "msgin5g.server"',
        "# 0x84 and 4.04",
        'print("The Message Type is not known")',
    ],
)
def test_what_it_leaves_alone(source):
    assert not list(spelled(source))
