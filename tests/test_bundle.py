"""Modules that are put into one for boards: what is said there means what it meant."""

import pytest

from host_tools.setup.bundle import Bundler
from host_tools.setup.constants import Package

PARTS = {
    "__init__": "",
    "low": "import os\n\n\ndef encode(x):\n    return size(x)\n\n\ndef size(x):\n    return len(x)\n",
    "middle": (
        "import os\n\nfrom . import low\nfrom .low import encode as plain\n\n\n"
        "def encode(size):\n    return low.size(size) + plain(size)\n\n\nclass Base:\n    size = 1\n"
    ),
    "top": (
        "from . import middle\nfrom .middle import Base\n\n\nclass Top(Base):\n    def f(self):\n"
        "        from . import apart\n\n        return middle.encode('abc') + apart.g() + self.size\n"
    ),
    "apart": "from . import low\nfrom .middle import encode\n\n\ndef g():\n    return low.encode('ab') + encode('a')\n",
}


@pytest.fixture
def bundled(tmp_path):
    """The texts of a package whose modules are put into `top`, by name."""
    folder = tmp_path / "package"
    folder.mkdir()
    for name, text in PARTS.items():
        (folder / f"{name}.py").write_text(text)
    package = Package(tmp_path, "package")
    return {module.name: text for module, text in Bundler(package, {"package.top": ()}).texts()}


def test_what_it_imports_at_its_top_level_is_in_it(bundled):
    top = bundled["package.top"]
    assert [line for line in top.splitlines() if line.startswith("# ----")] == [
        "# ---- low",
        "# ---- middle",
        "# ---- top",
    ]
    assert top.count("import os") == 1 and "from ." not in top


def test_names_change_only_where_two_are_the_same(bundled):
    top = bundled["package.top"]
    # `encode` of middle is nearer to the application, `size` would be hidden by a parameter where it is used.
    for text in ("def low_encode(x)", "def low_size(x)", "def encode(size)", "class Top(Base)", "self.size"):
        assert text in top
    assert "return low_size(size) + low_encode(size)" in top


def test_what_is_not_in_it_finds_what_is(bundled):
    assert bundled["package.apart"].startswith(
        "from package import top as low\nfrom package.top import encode\n"
    )
    assert "low.low_encode('ab') + encode('a')" in bundled["package.apart"]


def test_what_it_has_swallowed_is_handed_on(bundled):
    assert bundled["package.low"] == ("from package.top import low_encode as encode, low_size as size\n")
    assert bundled["package.middle"] == "from package.top import Base, encode, low_encode as plain\n"


def test_it_does_what_its_parts_do(bundled, tmp_path, monkeypatch):
    for name, text in bundled.items():
        (tmp_path / "package" / f"{name.partition('.')[2] or '__init__'}.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    from package import low, top  # pyright: ignore[reportMissingImports]

    assert top.Top().f() == 6 + 2 + 2 + 1
    assert low.size("ab") == 2


def test_every_line_tells_where_it_is_from(bundled):
    lines = bundled["package.top"].splitlines()
    begin = lines.index("# ---- middle") + 2
    assert lines[begin : begin + 3][0] == "pass" and lines[begin + 6] == "def encode(size):"
