"""A short run of the campaign; `make faults` does 200 longer ones."""

import pytest

from tests.faults.run import run
from tests.faults.site import environment_is_complete
from tests.system.conftest import library

__all__ = ["library"]


SEED = 20261122


async def test_nothing_is_lost_and_nothing_is_doubled(tmp_path, library):
    if not environment_is_complete():
        pytest.skip("no 32-bit MicroPython is here; `make micropython` says why")
    result = await run(SEED, tmp_path, library, seconds=3.0)
    print(dict(result.sent), dict(result.faults), dict(result.outcomes), f"{result.seconds:.1f} s")
    assert not result.wrong, f"again: make faults SEED={SEED}"
    assert result.outcomes["delivered"] > 150
