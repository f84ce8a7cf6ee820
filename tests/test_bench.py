"""Each benchmark runs, at its smallest, and its results have the shape that the table and the document need."""

import importlib

import pytest

from bench import document
from bench.__main__ import NAMES
from host_tools.setup import micropython


@pytest.mark.parametrize("name", NAMES)
def test_a_benchmark_gives_rows_of_cells(name):
    benchmark = importlib.import_module(f"bench.{name}")
    steps = []
    rows = benchmark.measure(True, steps.append)
    if not rows:
        assert micropython.constrained() is None
        pytest.skip("no 32-bit MicroPython is here")
    assert document.columns(rows)[0] in rows[0]
    assert all(isinstance(value, (int, float, str, type(None))) for row in rows for value in row.values())
    assert all(isinstance(step, str) for step in steps)


def test_a_section_takes_the_place_of_its_predecessor(tmp_path, monkeypatch):
    class Benchmark:
        TITLE = "Speed"
        NOTES = "How fast."

    class Other:
        TITLE = "Size"
        NOTES = "How big."

    monkeypatch.setattr(document, "FILE", tmp_path / "measurements.md")
    document.write("speed", Benchmark, [{"what": "a", "rate": 1000}])
    document.write("size", Other, [{"what": "b", "octets": None}])
    document.write("speed", Benchmark, [{"what": "a", "rate": 2000}])
    text = document.FILE.read_text()
    assert "| a | 2,000 |" in text
    assert "1,000" not in text
    assert text.index("## Speed") < text.index("## Size")
    assert "python -m bench speed" in text
