"""Puts modules that are always loaded together into one, for boards.

A board pays for each module: its table, the names that it imports, and again every name that another has already. A
bundle is a module with all in it that it imports at its top level. Nothing of it is renamed, except where two modules
have the same name for different things (``encode`` of ``message`` is ``message_encode`` then). The bundled source,
which tracebacks tell the lines of, is in ``build/bundled``; each part begins with the name of the file it is from.

What a bundle has swallowed can still be imported under its name: a module is left there that hands its names on.
"""

from __future__ import annotations

import ast
import builtins
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from host_tools.setup.constants import Import, Module, Package, bound, edited

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from host_tools.setup.constants import Edit

# What a bundle is named by, and what belongs to it though it is imported within functions.
BUNDLES = {
    "msgin5g.provisioning": ("msgin5g.link.udp",),
    "msgin5g.store.flash": (),
    "msgin5g.messages_json": (),
    "msgin5g.messages_cbor": (),
}
# What others need without the rest.
_APART = {"msgin5g.ticks", "msgin5g"}
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)

# A name at the top level of a module: (module, name).
Key = tuple[str, str]


@dataclass
class Scope:
    """Names of a function or a class that hide those of the module, and what it imports itself."""

    names: set[str]
    imports: dict[str, Import] = field(default_factory=dict)
    of_class: bool = False


@dataclass
class Reference:
    """A place where a name of a module's top level is spelled, and the names that could hide another there."""

    node: ast.AST
    key: Key
    hidden_by: set[str]


class Bundler:
    """The package with its bundles.

    Args:
        package: its source, with constants in place.
        bundles: see BUNDLES.
    """

    def __init__(self, package: Package, bundles: dict[str, tuple[str, ...]]) -> None:
        self._package = package
        self.home: dict[str, str] = {}
        self.parts: dict[str, list[str]] = {}
        for root, more in bundles.items():
            self.parts[root] = []
            for name in (*more, root):
                self._gather(name, root)
        # Modules that are handed on as what they are, so that their names are told from outside.
        self._objects = {*bundles}
        self._references = {name: [*self._read(module)] for name, module in package.modules.items()}
        self._final: dict[Key, str] = {}
        for root in self.parts:
            self._choose_names(root)

    def texts(self) -> Iterator[tuple[Module, str]]:
        """Each module that is left, and its text."""
        for name, module in self._package.modules.items():
            if name in self.parts:
                yield module, self._bundle(name)
            elif name in self.home:
                yield module, self._hand_on(name)
            else:
                yield module, self._rewritten(module)

    # -- what belongs together

    def _gather(self, name: str, root: str) -> None:
        if name in self.home or name in _APART:
            return
        self.home[name] = root
        for imported in self._package.modules[name].imports.values():
            self._gather(imported.module, root)
        self.parts[root].append(name)

    def _resolve(self, imported: Import) -> Import:
        """Where what an import binds is defined."""
        while imported.attribute is not None:
            further = self._package.modules[imported.module].imports.get(imported.attribute)
            if further is None:
                break
            imported = further
        return imported

    # -- names

    def _read(self, module: Module) -> Iterator[Reference]:
        yield from self._read_all(module.tree.body, module, [])

    def _read_all(self, nodes: Iterable[ast.AST], module: Module, scopes: list[Scope]) -> Iterator[Reference]:
        for node in nodes:
            yield from self._read_one(node, module, scopes)

    def _read_one(self, node: ast.AST, module: Module, scopes: list[Scope]) -> Iterator[Reference]:
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            imported = self._imported(node.value.id, module, scopes)
            if imported and imported.attribute is None:
                yield _reference(node, self._resolve(Import(imported.module, node.attr)), scopes)
                return
        elif isinstance(node, ast.Name):
            yield from self._read_name(node, module, scopes)
        elif isinstance(node, ast.Global):
            # What it names is not renamed.
            yield from (Reference(node, (module.name, name), set()) for name in node.names)
        if isinstance(node, (ast.ClassDef, *_FUNCTIONS)):
            yield from self._read_definition(node, module, scopes)
        else:
            yield from self._read_all(ast.iter_child_nodes(node), module, scopes)

    def _read_name(self, node: ast.Name, module: Module, scopes: list[Scope]) -> Iterator[Reference]:
        imported = self._imported(node.id, module, scopes)
        if imported is None:
            if not _is_local(node.id, scopes) and node.id in module.names:
                yield _reference(node, Import(module.name, node.id), scopes)
        elif imported.attribute is not None:
            yield _reference(node, imported, scopes)
        elif imported.module in self.home:
            self._objects.add(imported.module)

    def _read_definition(
        self,
        node: ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda,
        module: Module,
        scopes: list[Scope],
    ) -> Iterator[Reference]:
        if not scopes and not isinstance(node, ast.Lambda):
            yield _reference(node, Import(module.name, node.name), scopes)
        outside: list[ast.AST] = [*getattr(node, "decorator_list", ())]
        if isinstance(node, ast.ClassDef):
            outside += node.bases
            scope = Scope(set(bound(node.body)), of_class=True)
        else:
            outside += [*node.args.defaults, *filter(None, node.args.kw_defaults)]
            scope = self._scope(node, module)
        yield from self._read_all(outside, module, scopes)
        inner = [node.body] if isinstance(node, ast.Lambda) else node.body
        yield from self._read_all(inner, module, [*scopes, scope])

    def _scope(self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda, module: Module) -> Scope:
        names = {arg.arg for arg in ast.walk(node.args) if isinstance(arg, ast.arg)}
        if isinstance(node, ast.Lambda):
            return Scope(names)
        times = [*bound(node.body)]
        names |= set(times)
        imports: dict[str, Import] = {}
        for part in ast.walk(node):
            if isinstance(part, ast.Global):
                names -= set(part.names)
            elif isinstance(part, ast.ImportFrom):
                found = self._package.imported(module, part)
                imports |= {name: one for name, one in found.items() if times.count(name) == 1}
        return Scope(names - set(imports), imports)

    def _imported(self, name: str, module: Module, scopes: list[Scope]) -> Import | None:
        for scope in reversed([scope for scope in scopes if not scope.of_class or scope is scopes[-1]]):
            if name in scope.names:
                return None
            if name in scope.imports:
                return self._resolve(scope.imports[name])
        return self._resolve(module.imports[name]) if name in module.imports else None

    def _choose_names(self, root: str) -> None:
        """A name for each thing in a bundle: its own, unless that means something else there."""
        parts = self.parts[root]
        hidden: dict[Key, set[str]] = {}
        kept: set[Key] = set()
        for name in parts:
            for reference in self._references[name]:
                hidden.setdefault(reference.key, set()).update(reference.hidden_by)
                if isinstance(reference.node, ast.Global):
                    kept.add(reference.key)
        taken = {name for part in parts for name in self._package.modules[part].foreign}
        # What is nearest to the application keeps its names.
        told = [part for part in parts if part in self._objects]
        for part in [*told, *(part for part in parts[::-1] if part not in told)]:
            for name in sorted(self._package.modules[part].names):
                key = part, name
                final = name
                if key not in kept and part not in self._objects:
                    busy = taken | hidden.get(key, set()) | set(dir(builtins))
                    if final in busy:
                        final = f"{part.rpartition('.')[2]}_{name.lstrip('_')}"
                    assert final not in busy, key
                taken.add(final)
                self._final[key] = final

    # -- texts

    def _bundle(self, root: str) -> str:
        pieces = []
        seen: set[str] = set()
        for name in self.parts[root]:
            module = self._package.modules[name]
            place = "/".join(name.split(".")[1:])
            pieces.append(f"# ---- {place}\n\n{self._rewritten(module, seen)}")
        return "\n".join(pieces)

    def _hand_on(self, name: str) -> str:
        root = self.home[name]
        module = self._package.modules[name]
        keys = {own: (name, own) for own in module.names}
        for own, imported in module.imports.items():
            found = self._resolve(imported)
            if found.attribute is not None and self.home.get(found.module) == root:
                keys[own] = found.module, found.attribute
        aliases = [
            _alias(self._final.get(key, key[1]), own)
            for own, key in sorted(keys.items())
            if not own.startswith("_")
        ]
        return f"{ast.unparse(ast.ImportFrom(root, aliases, 0))}\n" if aliases else ""

    def _rewritten(self, module: Module, seen: set[str] | None = None) -> str:
        """A module's text. seen: of a bundle's part, the imports of others that the bundle has already."""
        edits: list[Edit] = []
        for reference in self._references[module.name]:
            edits += self._renamed(reference, module)
        for statement in module.tree.body:
            if seen is not None and _is_foreign(statement, module):
                text = ast.unparse(statement)
                if text in seen:
                    edits.append((statement, "pass"))
                seen.add(text)
        for node in ast.walk(module.tree):
            if isinstance(node, ast.ImportFrom):
                edits += self._import(node, module)
        return edited(module.text, edits)

    def _renamed(self, reference: Reference, module: Module) -> Iterator[Edit]:
        node, key = reference.node, reference.key
        final = self._final.get(key, key[1])
        together = module.name in self.home and self.home.get(key[0]) == self.home[module.name]
        if isinstance(node, ast.Attribute):
            assert isinstance(node.value, ast.Name)
            if together:
                yield node, final
            elif final != node.attr:
                yield node, f"{node.value.id}.{final}"
        elif together and isinstance(node, ast.Name) and final != node.id:
            yield node, final
        elif (
            together
            and isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
            and final != node.name
        ):
            yield _named(node, module), final

    def _import(self, statement: ast.ImportFrom, module: Module) -> Iterator[Edit]:
        found = self._package.imported(module, statement)
        home = self.home.get(module.name)
        if not found or (home is None and not any(one.module in self.home for one in found.values())):
            return
        texts = []
        for own, one in found.items():
            imported = self._resolve(one)
            there = self.home.get(imported.module)
            if home is not None and there == home and not self._is_object(own, statement, module):
                continue
            texts.append(self._one_import(own, imported, there))
        yield statement, "; ".join(texts) or "pass"

    def _is_object(self, own: str, statement: ast.ImportFrom, module: Module) -> bool:
        """Whether a function has several imports under one name, so that what it is depends."""
        for node in ast.walk(module.tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and statement in ast.walk(node):
                return [*bound(node.body)].count(own) > 1
        return False

    def _one_import(self, own: str, imported: Import, there: str | None) -> str:
        if imported.attribute is None:
            base, _, name = (there or imported.module).rpartition(".")
        else:
            base = there or imported.module
            key = imported.module, imported.attribute
            name = self._final.get(key, imported.attribute)
        return ast.unparse(ast.ImportFrom(base, [_alias(name, own)], 0))


def _alias(name: str, own: str) -> ast.alias:
    return ast.alias(name, own if own != name else None)


def _reference(node: ast.AST, found: Import, scopes: list[Scope]) -> Reference:
    assert found.attribute is not None
    hidden_by: set[str] = set().union(*(scope.names for scope in scopes))
    return Reference(node, (found.module, found.attribute), hidden_by)


def _is_local(name: str, scopes: list[Scope]) -> bool:
    return any(name in scope.names for scope in scopes if not scope.of_class or scope is scopes[-1])


def _is_foreign(statement: ast.stmt, module: Module) -> bool:
    return isinstance(statement, ast.Import) or (
        isinstance(statement, ast.ImportFrom)
        and not any((alias.asname or alias.name) in module.imports for alias in statement.names)
    )


def _named(node: ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef, module: Module) -> ast.expr:
    """Where the name is in a definition."""
    line = module.text.splitlines()[node.lineno - 1]
    match = re.compile(rf"(?:class|(?:async +)?def) +({node.name})\b").search(line, node.col_offset)
    assert match
    start, end = match.span(1)
    return ast.Name(
        node.name, lineno=node.lineno, col_offset=start, end_lineno=node.lineno, end_col_offset=end
    )
