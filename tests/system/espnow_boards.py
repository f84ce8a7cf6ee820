# Boards that speak ESP-NOW, and the bridge between them and a gateway, for test_espnow_bridge.py: one MicroPython process,
# with radios that are modelled and a serial line that is real. Arguments: the line, the longest frame of all radios, how
# many messages each sends, and a folder with a device.json for each board. Prints what happens, a line each.

# MicroPython's asyncio.
# ruff: noqa: RUF006, UP031, ASYNC110, ASYNC230, PTH123, SIM115
# pyright: reportMissingImports=false, reportAttributeAccessIssue=false, reportArgumentType=false

import asyncio
import sys
import termios

import espnow_bridge
from msgin5g import provisioning
from msgin5g.coap.endpoint import Parameters
from msgin5g.link.espnow import EspNowLink
from msgin5g_testing.espnow import Air

LINE, LONGEST, COUNT = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
AS = "as@example.org"
air = Air()


def mac(number):
    return b"\x24\x0a\xc4\x00\x00" + bytes([number])


async def board(number, folder):
    air.board(mac(number), LONGEST).install()
    ue = provisioning.client(
        folder + "/device.json",
        folder=folder + "/messages",
        link=EspNowLink,
        parameters=Parameters(ack_timeout=150, token_length=1),
    )
    await ue.register()
    print("registered", ue.ue_service_id)
    asyncio.create_task(receive(ue))
    for message in range(COUNT):
        # The longer ones do not fit one frame of ESP-NOW v1.
        sent = await ue.send(
            "%d %s %s" % (message, ue.ue_service_id, "x" * (message * 60)), application_server=AS
        )
        print("delivered" if await sent.delivered() else sent.cause, ue.ue_service_id, message)


async def receive(ue):
    async for message in ue:
        print("received", ue.ue_service_id, message.payload)


async def main():
    air.board(mac(1), LONGEST).install()
    line = open(LINE, "r+b")
    termios.setraw(line.fileno())
    asyncio.create_task(espnow_bridge.main(line, waits=True))
    await asyncio.sleep_ms(50)
    for number, folder in enumerate(sys.argv[4:]):
        # One after the other: `espnow` is the module of the board that is made.
        await asyncio.wait_for(board(number + 2, folder), 60)
    print("done")
    while True:
        await asyncio.sleep(60)


asyncio.run(main())
