"""The examples in docs/testing.md do what they say."""

import re
import sys
from pathlib import Path

import pytest
from msgin5g_testing import machine, network

PAGE = Path(__file__).parents[2] / "docs" / "testing.md"


@pytest.fixture(autouse=True)
def as_it_was(monkeypatch):
    for module in (machine, network):
        monkeypatch.setitem(sys.modules, module.__name__.rpartition(".")[2], module)
    monkeypatch.setattr(network, "now", network.now)
    yield
    machine.levels.clear()
    network.air.clear()


def test_the_examples_of_a_test_of_ones_own():
    examples = re.findall(
        r"^```python\n(.+?)^```", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
    )
    names = {}
    for example in examples[:2]:
        exec(example, names)
    tests = [value for name, value in names.items() if name.startswith("test_")]
    assert len(tests) == 2
    for test in tests:
        test()
