# What a board runs; what it is to do is in settings.json, device.json and app.py.

import gc

# Before anything fills the heap: collected often, it stays in one piece.
gc.threshold(4096)  # type: ignore[attr-defined]

from msgin5g.board import run  # noqa: E402

run.main()
