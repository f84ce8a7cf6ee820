"""Puts constants where they are used, for the compiler of boards.

A board pays for a module's constant with its name, a place in the module's table and code that looks it up. mpy-cross
knows ``const()`` within one module alone; this knows the package: it replaces ``wire.MSG``, ``_LONGEST`` or an imported
``HIGH`` by the value, drops what nothing is left of, and keeps every line where it is, so that tracebacks tell the
right one. Modules of constants alone stay whole, for applications, and are not loaded by the rest.

A constant is a name in capitals, assigned once at the top level of its module, to a literal or to what can be computed
from literals and other constants. A dict counts when another module looks it up: there it becomes that module's own.
"""

from __future__ import annotations

import ast
import operator
import re
from collections import Counter
from dataclasses import dataclass, field
from itertools import accumulate
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_OPERATORS = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.FloorDiv: operator.floordiv,
    ast.LShift: operator.lshift,
    ast.RShift: operator.rshift,
    ast.BitOr: operator.or_,
    ast.BitAnd: operator.and_,
    ast.USub: operator.neg,
    ast.Invert: operator.invert,
}
_CONSTANT_NAME = re.compile(r"_*[A-Z][A-Z0-9_]*")
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)

# A place in a source file, and the text that comes there.
Edit = tuple[ast.expr | ast.stmt, str]


class NotConstant(Exception):
    """The name or expression has no value that is known when compiling."""


@dataclass(frozen=True)
class Import:
    """What an import binds a name to: a module, or (with an attribute) a name of it."""

    module: str
    attribute: str | None


class Module:
    """One source file of the package, and what its top level binds.

    Args:
        name: dotted, ``msgin5g.coap.message``.
        path: its file.
    """

    def __init__(self, name: str, path: Path) -> None:
        self.name = name
        self.path = path
        self.text = path.read_text()
        self.tree = ast.parse(self.text, path)
        self.parent = name if path.name == "__init__.py" else name.rpartition(".")[0]
        self.assigned: dict[str, ast.expr] = {}
        self.imports: dict[str, Import] = {}
        # Whether all who import it are compiled with it, so that what they don't need may go.
        self.imported_here = "." in name

    def bind(self, package: Package) -> None:
        """Find the constants and the imports, now that all modules are known."""
        times = Counter(bound(self.tree.body))
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Global):
                times.update(node.names)
        for statement in self.tree.body:
            if isinstance(statement, ast.Import | ast.ImportFrom):
                self.imports.update(package.imported(self, statement))
            name = _constant(statement)
            if name and times[name] == 1:
                self.assigned[name] = statement.value  # pyright: ignore[reportAttributeAccessIssue]

    @property
    def only_constants(self) -> bool:
        """Whether it does nothing but hold a table, and is loaded only for an application that asks for it."""
        for statement in self.tree.body:
            if isinstance(statement, ast.FunctionDef) and statement.name == "__getattr__":
                continue
            if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                return False
        return True

    @property
    def foreign(self) -> set[str]:
        """The names that its top level imports from elsewhere than the package."""
        statements = [one for one in self.tree.body if isinstance(one, ast.Import | ast.ImportFrom)]
        return set(bound([*statements])) - set(self.imports)

    @property
    def names(self) -> set[str]:
        """The names that are its own."""
        return set(bound(self.tree.body)) - set(self.imports) - self.foreign

    def fallbacks(self, package: Package) -> Iterator[str]:
        """Modules that its ``__getattr__`` looks in for what it does not have."""
        for statement in self.tree.body:
            if isinstance(statement, ast.FunctionDef) and statement.name == "__getattr__":
                for node in ast.walk(statement):
                    if isinstance(node, ast.ImportFrom):
                        yield from (one.module for one in package.imported(self, node).values())


def assigned(statement: ast.stmt) -> str | None:
    """The name of a statement ``name = value``."""
    if isinstance(statement, ast.Assign) and len(statement.targets) == 1:
        target = statement.targets[0]
        if isinstance(target, ast.Name):
            return target.id
    return None


def _constant(statement: ast.stmt) -> str | None:
    """The name of a statement ``NAME = value``."""
    name = assigned(statement)
    return name if name and _CONSTANT_NAME.fullmatch(name) else None


def bound(body: list[ast.stmt]) -> Iterator[str]:
    """Every name that statements bind in their own scope, as often as they do."""
    waiting: list[ast.AST] = list(body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            yield node.id
        elif isinstance(node, ast.Import | ast.ImportFrom):
            yield from (alias.asname or alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ExceptHandler) and node.name:
            yield node.name
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
        elif not isinstance(node, ast.Lambda):
            waiting += ast.iter_child_nodes(node)


class Package:
    """All modules of packages under a folder, with the values of their constants."""

    def __init__(self, folder: Path, *packages: str) -> None:
        self.modules: dict[str, Module] = {}
        for package in packages:
            for path in sorted(folder.glob(f"{package}/**/*.py")):
                parts = path.relative_to(folder).with_suffix("").parts
                name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
                self.modules[name] = Module(name, path)
        for module in self.modules.values():
            module.bind(self)

    def imported(self, module: Module, statement: ast.Import | ast.ImportFrom) -> dict[str, Import]:
        """The names that an import binds, of those that come from this package."""
        if isinstance(statement, ast.Import):
            return {}
        base = statement.module or ""
        if statement.level:
            parts = module.parent.split(".")
            base = ".".join(parts[: len(parts) + 1 - statement.level] + ([base] if base else []))
        found = {}
        for alias in statement.names:
            whole = f"{base}.{alias.name}"
            if whole in self.modules:
                found[alias.asname or alias.name] = Import(whole, None)
            elif base in self.modules:
                found[alias.asname or alias.name] = Import(base, alias.name)
        return found

    def value(self, module: str, name: str) -> Any:
        """The value of a constant.

        Raises:
            NotConstant: it is none, or it is not there.
        """
        place = self.modules[module]
        if name in place.assigned:
            return self._evaluate(place, place.assigned[name])
        if name in place.imports:
            return self.target(place.imports[name])
        for other in place.fallbacks(self):
            if name in self.modules[other].assigned:
                return self.value(other, name)
        raise NotConstant(name)

    def target(self, imported: Import) -> Any:
        """The value of what an import binds."""
        if imported.attribute is None or not _CONSTANT_NAME.fullmatch(imported.attribute):
            raise NotConstant(imported.attribute)
        return self.value(imported.module, imported.attribute)

    def _evaluate(self, place: Module, expression: ast.expr) -> Any:
        found: Any
        match expression:
            case ast.Constant(value=value):
                found = value
            case ast.Name(id=name):
                found = self.value(place.name, name)
            case ast.Attribute(value=ast.Name(id=alias), attr=name) if alias in place.imports:
                found = self.value(place.imports[alias].module, name)
            case ast.Tuple(elts=elements):
                found = tuple(self._evaluate(place, one) for one in elements)
            case ast.Dict(keys=keys, values=values):
                pairs = zip(filter(None, keys), values, strict=True)
                found = {self._evaluate(place, key): self._evaluate(place, value) for key, value in pairs}
            case ast.UnaryOp(op=op, operand=operand) if type(op) in _OPERATORS:
                found = _OPERATORS[type(op)](self._evaluate(place, operand))
            case ast.BinOp(left=left, op=op, right=right) if type(op) in _OPERATORS:
                found = _OPERATORS[type(op)](self._evaluate(place, left), self._evaluate(place, right))
            case _:
                raise NotConstant(ast.unparse(expression))
        return found


@dataclass
class Scope:
    """The names of a function, a class or a module, while its code is read."""

    node: ast.AST
    outer: Scope | None
    names: set[str]
    imports: dict[str, Import]
    # Imports that may go, names that are still looked up, and names that values stand for.
    statements: list[ast.ImportFrom] = field(default_factory=list)
    needed: set[str] = field(default_factory=set)
    inlined: set[str] = field(default_factory=set)


class Inliner:
    """Rewrites one module."""

    def __init__(self, package: Package, module: Module) -> None:
        self._package = package
        self._module = module
        self._edits: list[Edit] = []
        # Where dicts of other modules are looked up: (node, value), by the name of the import.
        self._dicts: dict[str, list[tuple[ast.Attribute, dict]]] = {}

    def text(self) -> str:
        """The module's source with constants in place; every line where it was."""
        tree = self._module.tree
        scope = Scope(tree, None, set(bound(tree.body)), self._module.imports)
        self._read_body(tree.body, scope)
        if self._module.imported_here and not self._module.only_constants:
            for statement in tree.body:
                name = assigned(statement)
                # Which names are for others is for those who read the source.
                if name == "__all__" or (
                    name and _constant(statement) and name not in scope.needed and self._is_constant(name)
                ):
                    self._edits.append((statement, "pass"))
        return edited(self._module.text, self._edits)

    def _is_constant(self, name: str) -> bool:
        try:
            return not isinstance(self._package.value(self._module.name, name), dict)
        except NotConstant:
            return False

    def _read_body(self, body: list[ast.stmt], scope: Scope) -> None:
        for statement in body:
            self._read(statement, scope)
        for statement in scope.statements:
            self._shorten(statement, scope)

    def _read(self, node: ast.AST, scope: Scope) -> None:
        if isinstance(node, ast.ImportFrom):
            scope.statements.append(node)
        elif isinstance(node, ast.Name | ast.Attribute) and isinstance(node.ctx, ast.Load):
            self._look_up(node, scope)
        elif isinstance(node, _FUNCTIONS):
            self._read_function(node, scope)
        elif isinstance(node, ast.ClassDef):
            for part in (*node.decorator_list, *node.bases, *node.keywords):
                self._read(part, scope)
            self._read_body(node.body, Scope(node, scope, set(bound(node.body)), {}))
        elif isinstance(node, ast.JoinedStr):
            # The places of what is inside an f-string are not told.
            for part in ast.walk(node):
                if isinstance(part, ast.Name):
                    self._need(part.id, scope)
        else:
            for part in ast.iter_child_nodes(node):
                self._read(part, scope)

    def _read_function(self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda, scope: Scope) -> None:
        args = node.args
        for default in (*args.defaults, *filter(None, args.kw_defaults)):
            self._read(default, scope)
        for decorator in getattr(node, "decorator_list", ()):
            self._read(decorator, scope)
        names = {arg.arg for arg in ast.walk(args) if isinstance(arg, ast.arg)}
        if isinstance(node, ast.Lambda):
            self._read(node.body, Scope(node, scope, names, {}))
            return
        times = Counter(bound(node.body))
        names |= set(times)
        imports: dict[str, Import] = {}
        for part in node.body:
            for inner in ast.walk(part):
                if isinstance(inner, ast.Global | ast.Nonlocal):
                    names -= set(inner.names)
                elif isinstance(inner, ast.ImportFrom):
                    found = self._package.imported(self._module, inner)
                    imports.update({name: one for name, one in found.items() if times[name] == 1})
        self._read_body(node.body, Scope(node, scope, names, imports))

    def _home(self, name: str, scope: Scope) -> Scope | None:
        """The scope that a name is looked up in."""
        here: Scope | None = scope
        while here and (
            name not in here.names or (isinstance(here.node, ast.ClassDef) and here is not scope)
        ):
            here = here.outer
        return here

    def _need(self, name: str, scope: Scope) -> None:
        home = self._home(name, scope)
        if home:
            home.needed.add(name)

    def _look_up(self, node: ast.Name | ast.Attribute, scope: Scope) -> None:
        name = node if isinstance(node, ast.Name) else node.value
        if not isinstance(name, ast.Name):
            self._read(name, scope)
            return
        home = self._home(name.id, scope)
        try:
            value = self._value(node, name.id, home)
        except NotConstant:
            self._need(name.id, scope)
            return
        assert home
        if isinstance(value, dict):
            if isinstance(node, ast.Name) or home.outer:
                home.needed.add(name.id)
                return
            self._dicts.setdefault(name.id, []).append((node, value))
        else:
            text = repr(value)
            # 5 .bit_length, -1 ** 2
            self._edits.append(
                (node, f"({text})" if isinstance(value, int | float) and text[0] == "-" else text)
            )
        home.inlined.add(name.id)

    def _value(self, node: ast.Name | ast.Attribute, name: str, home: Scope | None) -> Any:
        if home is None:
            raise NotConstant(name)
        imported = home.imports.get(name)
        if isinstance(node, ast.Attribute):
            if imported and imported.attribute is None and _CONSTANT_NAME.fullmatch(node.attr):
                return self._package.value(imported.module, node.attr)
        elif imported:
            return self._package.target(imported)
        elif home.outer is None and name in self._module.assigned:
            return self._package.value(self._module.name, name)
        raise NotConstant(name)

    def _shorten(self, statement: ast.ImportFrom, scope: Scope) -> None:
        """Drop from an import what nothing is left of."""
        kept = [
            alias for alias in statement.names if not self._is_done_with(alias.asname or alias.name, scope)
        ]
        if len(kept) == len(statement.names):
            return
        shorter = ast.ImportFrom(statement.module, kept, statement.level)
        parts = [ast.unparse(shorter)] if kept else []
        for name in {alias.asname or alias.name for alias in statement.names if alias not in kept}:
            values = {f"{name}_{node.attr}": value for node, value in self._dicts.get(name, ())}
            parts += [f"{own} = {value!r}" for own, value in sorted(values.items())]
            self._edits += [(node, f"{name}_{node.attr}") for node, _ in self._dicts.get(name, ())]
        self._edits.append((statement, "; ".join(parts) or "pass"))

    def _is_done_with(self, imported: str, scope: Scope) -> bool:
        if imported in scope.needed:
            return False
        # What only hands on a constant of another module goes too.
        return imported in scope.inlined or (scope.outer is None and self._is_constant(imported))


def edited(text: str, edits: list[Edit]) -> str:
    """The text with other text in place of some of its nodes; every line stays where it was."""
    lines = text.encode().splitlines(keepends=True)
    starts = [0, *accumulate(map(len, lines))]
    whole = b"".join(lines)
    pieces: list[bytes] = []
    at = 0
    for node, new in sorted(edits, key=lambda edit: (edit[0].lineno, edit[0].col_offset)):
        assert node.end_lineno
        assert node.end_col_offset is not None
        begin = starts[node.lineno - 1] + node.col_offset
        # What is in a statement that goes as a whole comes behind it.
        if begin >= at:
            pieces += [whole[at:begin], new.encode(), b"\n" * (node.end_lineno - node.lineno)]
            at = starts[node.end_lineno - 1] + node.end_col_offset
    return b"".join([*pieces, whole[at:]]).decode()
