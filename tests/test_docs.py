"""The documentation keeps up with the code: settings, files, tests and names in it, and its links."""

import ast
import functools
import importlib
import re
import tomllib
from pathlib import Path

import msgspec
import pytest

from host_tools import link_settings, settings
from host_tools.settings import GatewaySettings, ServerSettings, load
from host_tools.settings_base import Settings

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = sorted(path for path in (ROOT / "README.md", *DOCS.glob("*.md")) if path.exists())
TABLES = {
    "Gateway": settings.GatewaySettings,
    "Server": settings.ServerSettings,
    "CoAP": settings.Coap,
    "Credentials": settings.Credential,
    "Application Servers": settings.ApplicationServer,
    "Applications": settings.ApplicationSettings,
    "Serial ports": link_settings.SerialSettings,
    "Relay": link_settings.RelaySettings,
    "Groups": settings.Group,
    "Topics": settings.Topics,
    "Configuration": settings.Configuration,
    "UE configurations": settings.UeConfiguration,
}
# What a user writes for a board.
THEIRS = {"boot.py"}
# Where the names in docs/clauses.md begin.
BASES = (ROOT / "firmware" / "msgin5g", ROOT / "host_tools", ROOT / "tests")


def sections(page: Path) -> dict[str, str]:
    parts = re.split(r"^## (.+)\n", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_settings_has_every_table():
    kinds = {
        kind
        for kind in (vars(settings) | vars(link_settings)).values()
        if isinstance(kind, type) and issubclass(kind, Settings)
    }
    assert kinds - {Settings} == set(TABLES.values())


@pytest.mark.parametrize("title", TABLES)
def test_settings_has_every_key_in_its_order(title):
    keys = re.findall(r"^\| `(\w+)` \|", sections(DOCS / "settings.md")[title], flags=re.MULTILINE)
    assert tuple(keys) == TABLES[title].__struct_fields__


@pytest.mark.parametrize("title", TABLES)
def test_settings_has_the_defaults(title):
    for field in msgspec.structs.fields(TABLES[title]):
        row = re.search(rf"^\| `{field.name}` \|.*", sections(DOCS / "settings.md")[title], re.MULTILINE)
        assert row, field.name
        told = row[0].split(" | ")[2].strip(" |`").strip('"')
        if field.required:
            assert told == "required", field.name
        elif isinstance(field.default, bool):
            assert told == str(field.default).lower(), field.name
        elif isinstance(field.default, int | str | Path):
            assert told == str(field.default), field.name


@pytest.mark.parametrize(("name", "kind"), [("gateway", GatewaySettings), ("server", ServerSettings)])
def test_the_example_has_every_key_and_can_be_used(name, kind):
    path = DOCS / "examples" / f"{name}.toml"
    load(path, kind)
    assert set(tomllib.loads(path.read_text(encoding="utf-8"))) == set(kind.__struct_fields__)


def test_clauses_names_files_and_tests_that_exist():
    text = (DOCS / "clauses.md").read_text(encoding="utf-8")
    named = re.findall(r"`([\w/]+\.py)(?:::(\w+))?`", text)
    assert named
    for name, test in named:
        found = [base / name for base in BASES if (base / name).exists()]
        assert found, f"{name} does not exist"
        assert not test or re.search(rf"\bdef {test}\b", found[0].read_text(encoding="utf-8")), (
            f"{name} has no {test}"
        )


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_modules_that_are_named_are_there(page):
    named = set(re.findall(r"`([\w/]+\.py)\b", page.read_text(encoding="utf-8"))) - THEIRS
    missing = [name for name in named if not any(f"/{there}".endswith(f"/{name}") for there in _modules())]
    assert not missing


@functools.cache
def _modules() -> list[str]:
    folders = ("firmware", "host_tools", "tests", "bench", "boards")
    return [str(path.relative_to(ROOT)) for folder in folders for path in (ROOT / folder).rglob("*.py")]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_examples_are_python_and_import_what_is_there(page):
    for example in re.findall(
        r"^```python\n(.+?)^```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
    ):
        tree = compile(example, page.name, "exec", ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("msgin5g"):
                for alias in node.names:
                    assert _is_there(node.module, alias.name), f"{node.module} has no {alias.name}"


def _is_there(module: str, name: str) -> bool:
    # Some modules need a board's: what they define is read.
    path = ROOT / "firmware" / module.replace(".", "/")
    source = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    found = re.search(
        rf"^(?:(?:async )?def|class) {name}\b|^{name} =", source.read_text(encoding="utf-8"), re.MULTILINE
    )
    return bool(found) or hasattr(importlib.import_module(module), name) or (path / f"{name}.py").exists()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_relative_links_lead_somewhere(page):
    for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        if re.match(r"[a-z]+:", link):
            continue
        name, _, anchor = link.partition("#")
        target = page.parent / name if name else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link
