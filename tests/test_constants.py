"""Constants in place: the source that boards get means what the source says, on the same lines."""

import pytest

from host_tools.setup.constants import Inliner, Package

TABLE = """\
# A table of constants alone.

def __getattr__(name):
    from . import rare
    return getattr(rare, name)

FIRST = 1
SECOND = FIRST << 2 | FIRST
BOTH = (FIRST, SECOND)
NAMED = {"first": FIRST, "both": BOTH}
CALLED = len("abc")
TWICE = 1
TWICE = 2
"""


@pytest.fixture
def inlined(tmp_path):
    """Inline a module of a package with a table; returns its text, whose lines are where they were."""
    folder = tmp_path / "pack"
    folder.mkdir()
    files = {
        "__init__": "",
        "table": TABLE,
        "rare": "RARE = b'x'\n",
        "other": "from .table import FIRST\nOWN = 7\n",
    }

    def inline(text: str, name: str = "module") -> str:
        for module, source in {**files, name: text}.items():
            (folder / f"{module}.py").write_text(source)
        package = Package(tmp_path, "pack")
        new = Inliner(package, package.modules[f"pack.{name}"]).text()
        assert new.count("\n") == text.count("\n")
        return new

    return inline


def test_a_constant_of_another_module_is_its_value_and_the_import_goes(inlined):
    text = "from . import table\n\ndef f(x=table.FIRST):\n    return x, table.SECOND, table.BOTH\n"
    assert inlined(text) == "pass\n\ndef f(x=1):\n    return x, 5, (1, 5)\n"


def test_what_getattr_hands_on_is_found(inlined):
    assert inlined("from . import table as t\nx = t.RARE\n") == "pass\nx = b'x'\n"


def test_an_imported_constant_also_through_another_module(inlined):
    text = "from .other import (\n    FIRST,\n    OWN,\n)\nx = FIRST + OWN\n"
    assert inlined(text) == "pass\n\n\n\nx = 1 + 7\n"


def test_constants_of_its_own_go(inlined):
    text = "_MOST = 4\nLEAST = -1\n\n\ndef f():\n    return _MOST, LEAST\n"
    assert inlined(text) == "pass\npass\n\n\ndef f():\n    return 4, (-1)\n"


def test_what_a_module_says_is_for_others_goes(inlined):
    assert inlined("__all__ = ('f',)\n\n\ndef f():\n    pass\n") == "pass\n\n\ndef f():\n    pass\n"


def test_a_table_of_constants_stays_whole(inlined):
    text = "from . import table\n\nMORE = table.SECOND + 1\n"
    assert inlined(text) == "pass\n\nMORE = 5 + 1\n"


def test_what_is_no_constant_stays(inlined):
    text = "from . import table\n\ndef f():\n    return table.CALLED, table.TWICE, table.FIRST\n"
    assert inlined(text) == "from . import table\n\ndef f():\n    return table.CALLED, table.TWICE, 1\n"


def test_a_dict_of_another_module_becomes_its_own(inlined):
    text = "from . import table, rare\n\ndef f(x):\n    return table.NAMED[x], rare.f\n"
    assert inlined(text) == (
        "from . import rare; table_NAMED = {'first': 1, 'both': (1, 5)}\n\n"
        "def f(x):\n    return table_NAMED[x], rare.f\n"
    )


def test_a_dict_stays_where_its_module_is_needed_anyway(inlined):
    text = "from . import table\n\ndef f(x):\n    return table.NAMED[x], table.CALLED\n"
    assert inlined(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "from . import table\n\ndef f(table):\n    return table.FIRST\n",
        "_A = 1\n\ndef f(_A):\n    return _A\n\nx = f'{_A}'\n",
        "_A = 1\n\ndef f():\n    _A = 2\n    return lambda _A: _A\n\ndef g():\n    global _A\n    _A = 3\n",
        "class C:\n    A = 1\n\n    def f(self):\n        return self.A\n",
        "def f():\n    for TABLE in (1, 2):\n        yield TABLE\n",
    ],
)
def test_names_that_mean_something_else_stay(inlined, text):
    assert inlined(text).replace("from . import table\n", "") == text.replace("from . import table\n", "")


def test_an_import_within_a_function(inlined):
    text = "def f():\n    from . import table\n\n    return table.FIRST\n"
    assert inlined(text) == "def f():\n    pass\n\n    return 1\n"


def test_the_same_name_in_a_function_that_has_its_own(inlined):
    text = "FIRST = 3\n\ndef f():\n    def g():\n        return FIRST\n    FIRST = 2\n    return g\n\ny = FIRST\n"
    assert inlined(text).endswith("        return FIRST\n    FIRST = 2\n    return g\n\ny = 3\n")
