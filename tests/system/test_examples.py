"""The examples as a board runs them: MicroPython with a board's heap, protected, through gateway and server processes."""

import asyncio
import time

import pytest

from tests.system.field import Field
from tests.system.processes import until


@pytest.fixture
async def field(place, library):
    return await Field(place, library).start()


SENSOR = """
import asyncio, sensor_node
sensor_node.PERIOD = 0.2
asyncio.run(sensor_node.main())
"""


async def test_sensor_node_goes_on_after_a_power_cut(field):
    node = await field.boot("sensor@example.org", SENSOR)
    await until(lambda: len(node.said("delivered")) >= 3, lambda: node.lines)
    await node.stop()
    before = len(field.application_server.messages)
    node = await field.boot("sensor@example.org", SENSOR)
    await until(lambda: len(node.said("delivered")) >= 3, lambda: node.lines)
    assert len(field.application_server.messages) >= before + 3
    message = field.application_server.messages[-1]
    assert message.payload.endswith(" C")
    identifiers = [message.message_id for message in field.application_server.messages]
    assert len(identifiers) == len(set(identifiers))


ACTUATOR = """
import asyncio, actuator
asyncio.run(actuator.main(actuator.Valve()))
"""
OPERATOR = """
import asyncio, actuator
from msgin5g import provisioning
async def main():
    async with provisioning.client() as ue:
        await ue.send("closed", topic=actuator.TOPIC, report=False)
        await ue.settled()
asyncio.run(main())
"""


async def test_actuator_does_what_an_application_server_and_a_topic_say(field):
    valve = await field.boot("valve@example.org", ACTUATOR)
    await until(lambda: valve.said("listens"), lambda: valve.lines)
    asked, _ = await field.application_server.send("open", "valve@example.org")
    await until(lambda: "open" in field.application_server.received(), lambda: valve.lines)
    await until(lambda: field.application_server.report_on(asked), lambda: valve.lines)
    await field.application_server.send("ajar", "valve@example.org")
    await until(lambda: valve.said("no position: ajar"), lambda: valve.lines)
    operator = await field.boot("operator@example.org", OPERATOR)
    assert await operator.ended() == 0, operator.lines
    await until(lambda: valve.said("turned it closed"), lambda: valve.lines)
    assert len(valve.said("turned it open")) == 1


# A board that sleeps deeply starts anew afterwards: here its process ends, and says for how long.
METER = """
import asyncio, sys, sleepy_meter
sleepy_meter.FIRST, sleepy_meter.DURATION, sleepy_meter.INTERVAL = %d, %d, %d
class Machine:
    @staticmethod
    def deepsleep(pause):
        print("sleeps", pause)
        sys.exit()
asyncio.run(sleepy_meter.wake(Machine))
"""
DURATION, INTERVAL = 5, 12


async def test_sleepy_meter_gets_in_its_next_window_what_came_while_it_slept(field):
    ue_service_id = "meter@example.org"
    script = METER % (time.time() - 1, DURATION, INTERVAL)
    meter = await field.boot(ue_service_id, script)
    assert await meter.ended() == 0, meter.lines
    ended = time.monotonic()
    await until(lambda: field.application_server.received() == ["123456 kWh"], lambda: meter.lines)
    (slept,) = meter.said("sleeps")
    pause = int(slept.split()[1]) / 1000
    # Three seconds early; the board may have been awake for a part of its window.
    assert 0 < pause <= INTERVAL - 3
    await field.application_server.send("tariff 2", ue_service_id)
    await asyncio.sleep(max(0, pause - (time.monotonic() - ended)))
    meter = await field.boot(ue_service_id, script)
    assert await meter.ended() == 0, meter.lines
    assert meter.said("tariff 2"), meter.lines
    await until(lambda: len(field.application_server.messages) == 2, lambda: meter.lines)
