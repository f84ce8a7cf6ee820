"""Run the tests of one file on the interpreter at hand: `micropython tests/unit/runner.py test_coap_message [test_name ...]`.

Portable Python, for MicroPython foremost. pytest starts it (see conftest.py) and reads from its output one JSON
record for each test, marked so that it is told apart from what the tests print.
"""

# pyright: reportAttributeAccessIssue=false

import asyncio
import gc
import io
import json
import sys
import time

MARK = "\x1e"
TIMEOUT_S = 20


def run_file(module_name, names):
    """Run the named tests of a module, or all, and write a record for each; return how many failed."""
    module = __import__(module_name)
    failed = 0
    for name in names or sorted(name for name in dir(module) if name.startswith("test_")):
        gc.collect()
        began = time.ticks_ms()
        outcome, text = run_test(getattr(module, name))
        took = time.ticks_diff(time.ticks_ms(), began)
        print(MARK + json.dumps({"name": name, "outcome": outcome, "text": text, "ms": took}))
        failed += outcome == "failed"
    return failed


def run_test(function):
    """Run one test, a coroutine under a time limit; return (outcome, traceback or reason)."""
    try:
        result = function()
        if hasattr(result, "send"):
            # A loop of its own: what one test left running must not disturb the next.
            asyncio.new_event_loop()
            asyncio.run(asyncio.wait_for(result, TIMEOUT_S))
    except Exception as error:
        if type(error).__name__ == "SkipTest":
            return "skipped", str(error)
        text = io.StringIO()
        sys.print_exception(error, text)
        return "failed", text.getvalue()
    return "passed", ""


if __name__ == "__main__":
    sys.exit(1 if run_file(sys.argv[1], sys.argv[2:]) else 0)
