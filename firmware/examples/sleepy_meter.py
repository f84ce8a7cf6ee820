# A meter that sleeps nearly always: it wakes at the times that its registration has told, exchanges what there is both
# ways, and sleeps until the next. Gateway and server keep what is for it meanwhile.

import asyncio

from msgin5g import profile, provisioning
from msgin5g.client import wall_clock
from msgin5g.sleep import Sleep

# Seconds since 1970 of the first window, how long each is, how often there is one.
FIRST = 1767225600
DURATION = 60
INTERVAL = 3600
APPLICATION_SERVER = "meters@example.org"


def reading():
    # Instead of a real meter.
    return "123456 kWh"


async def listen(ue):
    async for message in ue:
        print("from", message.originator, message.payload)


async def wake(machine):
    # machine: MicroPython's module of that name.
    schedule = profile.availability(FIRST, DURATION, INTERVAL)
    ue = provisioning.client("device.json", profile=profile.client_profile(availability=schedule))
    sleep = Sleep(ue, schedule, wall_clock, machine)
    await ue.send(reading(), application_server=APPLICATION_SERVER, expires_in=24 * 3600)
    await ue.register()
    listening = asyncio.create_task(listen(ue))
    if not await sleep.drain(DURATION * 1000):
        print("not everything got through: it stays stored")
    listening.cancel()
    # Does not return on a board: it starts anew at the next window.
    sleep.until_window(deep=True)


if __name__ == "__main__":
    import machine

    asyncio.run(wake(machine))
