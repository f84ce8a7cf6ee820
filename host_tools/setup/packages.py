"""Component packages for boards: `python -m host_tools.setup.packages` writes them from `firmware/components.toml`.

In `firmware/`, where a repository serves them, `package.json` (all that a client can do), `package-minimal.json` and
one for each component beyond that. `make packages` puts the same into `build/packages`, with compiled modules, to be
served or copied. Paths in them are relative, so they work from wherever they are.
"""

from __future__ import annotations

import ast
import json
import shutil
import sys
import tomllib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from host_tools.setup import mpy

if TYPE_CHECKING:
    from pathlib import Path

TABLE = mpy.SOURCE / "components.toml"
COMPILED = mpy.ROOT / "build" / "packages"
_PACKAGE = "msgin5g"
_MINIMAL = "minimal"
# Not for a board that is a UE and no gateway, and not for one that has a client.
_NOT_IN_FULL = {
    "gateway",
    "espnow_bridge",
    "application_client",
    "application_client_coap",
    "application_client_serial",
}


@dataclass(frozen=True)
class Component:
    """A part of the firmware that is installed as a whole.

    Args:
        about: what it is for.
        modules: of the package, "" for its own.
        needs: names of the components without which it does not work.
        constants: modules of which it uses constants alone.
        package: is there a package of it?
    """

    about: str
    modules: list[str]
    needs: tuple[str, ...] = ()
    constants: tuple[str, ...] = ()
    package: bool = True


def components() -> dict[str, Component]:
    """The table, by name."""
    return {name: Component(**entry) for name, entry in tomllib.loads(TABLE.read_text()).items()}


def path_of(module: str) -> str:
    """A module's source, as a path from the folder of the firmware."""
    path = "/".join([_PACKAGE, *module.split(".")]) if module else _PACKAGE
    return f"{path}/__init__.py" if (mpy.SOURCE / path).is_dir() else f"{path}.py"


def packages() -> dict[str, list[str]]:
    """The names of the package files, and the modules in each: what it needs beyond the minimal one is in it."""
    table = components()
    found = {}
    full: list[str] = []
    for name, component in table.items():
        if not component.package or name == "base":
            continue
        needed = with_needs(table, name)
        if name != _MINIMAL and _MINIMAL in needed:
            needed -= with_needs(table, _MINIMAL)
        modules = [module for part in table if part in needed for module in table[part].modules]
        found[f"package-{name.replace('_', '-')}.json"] = modules + list(component.constants)
        if name not in _NOT_IN_FULL:
            full += [module for module in modules if module not in full]
    return {"package.json": full} | found


def with_needs(table: dict[str, Component], name: str) -> set[str]:
    """A component, and all that it needs to work."""
    return {name}.union(*(with_needs(table, needed) for needed in table[name].needs))


def package_file(modules: list[str], suffix: str) -> str:
    """A package file of mip; modules in which there is nothing are left out."""
    paths = [path_of(module) for module in modules]
    files = sorted(path for path in paths if ast.parse((mpy.SOURCE / path).read_text()).body)
    lines = [json.dumps([path.removesuffix(".py") + suffix] * 2) for path in files]
    return '{\n  "urls": [\n    ' + ",\n    ".join(lines) + '\n  ],\n  "version": "0.1.0"\n}\n'


def write() -> None:
    """Write the package files beside the source, and drop those of components that are gone."""
    wanted = packages()
    for path in mpy.SOURCE.glob("package*.json"):
        if path.name not in wanted:
            path.unlink()
    for name, modules in wanted.items():
        (mpy.SOURCE / name).write_text(package_file(modules, ".py"))


def write_compiled(folder: Path = COMPILED) -> None:
    """Write the packages of compiled modules into a folder, which has nothing else.

    Raises:
        ValueError: the firmware does not compile.
    """
    complaints = mpy.compile_all()
    if complaints:
        raise ValueError(complaints[0])
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(mpy.TARGET / _PACKAGE, folder / _PACKAGE)
    for name, modules in packages().items():
        # What constants were of is in place.
        table = components().get(name.removeprefix("package-").removesuffix(".json").replace("-", "_"))
        compiled = [module for module in modules if not table or module not in table.constants]
        (folder / name).write_text(package_file(compiled, ".mpy"))


def main() -> int:
    """Write the packages, and say where they are."""
    write()
    try:
        write_compiled()
    except ValueError as error:
        print(error, file=sys.stderr)
        return 1
    print(
        f"packages: {len(packages())} in {mpy.SOURCE.name} and, compiled, in {COMPILED.relative_to(mpy.ROOT)}"
    )
    for name, component in components().items():
        if component.package and name != "base":
            print(f"  package-{name.replace('_', '-')}.json  {component.about}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
