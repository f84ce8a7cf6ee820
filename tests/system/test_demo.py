"""`msgin5g demo`, as a user runs it first of all."""

import json
import signal

import pytest

from host_tools.setup import micropython
from tests.system.processes import until


@pytest.fixture
def demo(place):
    if not micropython.interpreters():
        pytest.skip("no MicroPython is here; `make micropython` says why")

    def demo(*arguments):
        return place.program("demo", *arguments, environment={"TMPDIR": str(place.directory)})

    return demo


async def test_every_message_arrives_once_and_every_report_comes(demo):
    program = demo()
    assert await program.run() == 0, program.errors()
    result = json.loads(program.lines[-1])
    assert result["ok"] is True
    assert result["lost"] == result["duplicates"] == 0
    assert result["sent"] == result["delivered"] == result["reports"] > 100
    assert result["devices"] == 3
    assert "Traceback" not in program.errors()


async def test_it_can_be_interrupted(demo):
    program = demo("--devices", "2")
    await program.start()
    await until(lambda: program.lines, "something on the screen")
    assert await program.end(signal.SIGINT) == 130
    assert "Traceback" not in program.errors()


async def test_an_interpreter_that_is_not_there_is_named(demo):
    program = demo("--micropython", "/no/such/interpreter")
    assert await program.run() in {1, 2}
    assert "/no/such/interpreter" in program.errors() + "".join(program.lines)
    assert "Traceback" not in program.errors()
