# An actuator: does what it is told, once for each message, and says that it was done. It also listens to a topic, which
# one message reaches all actuators by.

import asyncio

from msgin5g import provisioning

TOPIC = "all-valves"


class Valve:
    # Instead of a real one.
    position = "closed"

    def turn(self, position):
        if position not in ("open", "closed"):
            raise ValueError(position)
        self.position = position


async def main(valve):
    ue = provisioning.client("device.json")
    await ue.register()
    await ue.topics.subscribe(TOPIC)
    print(ue.ue_service_id, "listens")
    # Whoever asked for a delivery status report has it when the message is taken here, and not twice.
    async for message in ue:
        try:
            valve.turn(message.payload)
            print(message.originator, "turned it", valve.position)
        except ValueError:
            print("what", message.originator, "wants is no position:", message.payload)
        if message.originator_type == "AS":
            await ue.send(valve.position, application_server=message.originator, application="valve")


if __name__ == "__main__":
    asyncio.run(main(Valve()))
