"""`make faults`: the campaign of faults.

$RUNS runs (200 when not said), seeds counted up from $SEED or from one that chance gives. $SEED alone repeats one run.
Interrupted, it tells what came of the runs until then.
"""

import asyncio
import contextlib
import os
import random
import shutil
import signal
import sys
from pathlib import Path

from host_tools.setup import mpy
from tests.faults.run import run
from tests.faults.screen import Screen
from tests.faults.site import environment_is_complete

KEPT = Path("build/faults")


def main():
    """Returns the exit status."""
    seed = os.environ.get("SEED")
    runs = int(os.environ.get("RUNS") or ("1" if seed else "200"))
    first = int(seed) if seed else random.SystemRandom().randrange(1_000_000)
    if not environment_is_complete():
        return "no 32-bit MicroPython is here; `make micropython` says why"
    if mpy.main():
        return "the firmware does not compile"
    print(f"{runs} runs, the first: SEED={first}")
    # Also where it was started in the background.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with Screen(runs) as screen, contextlib.suppress(KeyboardInterrupt):
        for number in range(first, first + runs):
            screen.begin(number)
            folder = KEPT / str(number)
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            result = asyncio.run(run(number, folder.absolute(), mpy.TARGET))
            screen.end(result, folder)
            if not result.wrong:
                shutil.rmtree(folder)
    return 0 if screen.table() else 1


if __name__ == "__main__":
    sys.exit(main())
