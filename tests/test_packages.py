"""The component packages: each module is in one, each has what it needs, and the files say what the table says."""

import ast
import json
import os
import pathlib
import types

import pytest

from host_tools.setup import mpy, packages

TABLE = packages.components()
PACKAGE = mpy.SOURCE / "msgin5g"
HOME = {module: name for name, component in TABLE.items() for module in component.modules}
# Loaded when something is used that is named beside it, and not before: a client does without the component.
ON_USE = {
    ("board.run", "link.espnow"): "a board's setting link",
    ("board.run", "link.serial"): "a board's setting link",
    ("client", "aggregation"): "a report on several messages",
    ("client", "message_id"): "Client(content_format=CBOR)",
    ("client", "selection"): "Client(gateway=None)",
    ("client", "topics"): "ue.topics",
    ("coap.client", "coap.observation"): "observe()",
    ("coap.server", "coap.observable"): "a resource that can be observed",
    ("inbox", "aggregation"): "several messages as one",
    ("inbox", "reassembly"): "a segment",
    ("messages", "messages_cbor"): "Client(content_format=CBOR)",
    ("outbox", "aggregation"): "Client(linger=...)",
    ("outbox", "segmentation"): "a large message",
    ("provisioning", "store.flash"): "provisioning.client() without a store",
    # A board has cryptolib.
    ("oscore.context", "oscore.aead_host"): "CPython",
}


def modules_of_the_firmware():
    for path in PACKAGE.rglob("*.py"):
        name = ".".join(path.relative_to(PACKAGE).with_suffix("").parts)
        yield name.removesuffix("__init__").rstrip(".")


def imports(module):
    """The modules of the package that one imports, at once or later."""
    path = mpy.SOURCE / packages.path_of(module)
    folder = path.relative_to(PACKAGE).parts[:-1]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = [*folder[: len(folder) + 1 - node.level], *(node.module or "").split(".")]
            source = ".".join(part for part in base if part)
            for alias in node.names:
                inner = f"{source}.{alias.name}".lstrip(".")
                yield inner if inner in HOME else source


def with_needs(name):
    return {name}.union(*(with_needs(needed) for needed in TABLE[name].needs))


def test_each_module_is_in_one_component():
    listed = [module for component in TABLE.values() for module in component.modules]
    assert set(listed) == set(modules_of_the_firmware()), "firmware/components.toml"
    assert len(listed) == len(set(listed))


@pytest.mark.parametrize("name", TABLE)
def test_a_component_has_what_it_imports(name):
    missing = {
        (module, imported)
        for module in TABLE[name].modules
        for imported in imports(module)
        if HOME.get(imported) not in with_needs(name) and imported not in TABLE[name].constants
    }
    assert missing - set(ON_USE) == {("", "client")} & missing


def test_what_is_loaded_on_use_is_still_loaded_there():
    assert [pair for pair in ON_USE if pair[1] not in imports(pair[0])] == []


def test_nothing_is_needed_that_is_not_imported():
    for name, component in TABLE.items():
        used = {HOME.get(imported) for module in component.modules for imported in imports(module)}
        assert all(with_needs(needed) & used for needed in component.needs), name


def test_the_package_files_say_what_the_table_says():
    wanted = packages.packages()
    assert {path.name for path in mpy.SOURCE.glob("package*.json")} == set(wanted)
    for name, modules in wanted.items():
        text = (mpy.SOURCE / name).read_text()
        assert text == packages.package_file(modules, ".py"), "python -m host_tools.setup.packages"
        for target, source in json.loads(text)["urls"]:
            assert target == source
            assert (mpy.SOURCE / source).exists()


def test_the_full_package_has_each_part_of_a_client():
    files = {place[0] for place in json.loads((mpy.SOURCE / "package.json").read_text())["urls"]}
    for name in TABLE.keys() - packages._NOT_IN_FULL - {"base", "frames", "host"}:
        part = json.loads((mpy.SOURCE / f"package-{name.replace('_', '-')}.json").read_text())
        assert {place[0] for place in part["urls"]} <= files
    assert not any("gateway" in file for file in files)


def frozen(components):
    """What boards/manifest.py freezes: files by package, None for all of a folder."""
    calls = []
    told = types.SimpleNamespace(
        board="", components=components, bundled=False, defaults=lambda **values: None
    )
    manifest = mpy.ROOT / "boards" / "manifest.py"
    before = pathlib.Path.cwd()
    os.chdir(manifest.parent)
    try:
        names = {"options": told, "package": lambda name, **how: calls.append((name, how))}
        exec(compile(manifest.read_text(), str(manifest), "exec"), names)
        for _, how in calls:
            assert pathlib.Path(how["base_path"]).is_dir()
    finally:
        os.chdir(before)
    return calls


def test_a_board_freezes_all_or_the_components_that_are_named():
    assert not mpy.compile_all()
    ((name, how),) = frozen("")
    assert name == "msgin5g"
    assert "files" not in how
    minimal, topics = frozen("minimal topics")
    assert topics[1]["files"] == ["topics.py"]
    assert "client.py" in minimal[1]["files"]
    assert "oscore/security.py" in minimal[1]["files"]
    for file in minimal[1]["files"]:
        assert (mpy.INLINED / "msgin5g" / file).exists()
