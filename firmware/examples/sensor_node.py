# A sensor node: measures, sends, and goes on measuring while there is no network. What was stored outlives a power cut.

import asyncio
import random

from msgin5g import provisioning
from msgin5g.store import Full

PERIOD = 60
APPLICATION_SERVER = "meters@example.org"


def measure():
    # Instead of a real sensor.
    return "%.1f C" % (20 + random.getrandbits(6) / 10)


def on_state(sent):
    # stored, sent, accepted, delivered; or failed and expired, with the reason
    print(sent.message_id, sent.state, sent.cause or "")


async def main():
    ue = provisioning.client("device.json")
    ue.on_state = on_state
    # Not waited for: until there is a gateway, readings are stored.
    registering = asyncio.create_task(ue.register())
    while True:
        try:
            await ue.send(measure(), application_server=APPLICATION_SERVER, application="temperature")
        except Full:
            print("full: this reading is lost; registered:", ue.registered)
        if registering.done():
            # Raises RegistrationRefused, with the reason, when the gateway has refused.
            await registering
        await asyncio.sleep(PERIOD)


if __name__ == "__main__":
    asyncio.run(main())
