# A bridge: carries what boards say by ESP-NOW to a gateway over a serial line, and back. It has no keys, and reads
# nothing.

import asyncio

from msgin5g.link.bridge import Bridge

# Of Wi-Fi; the same on all boards that are to hear each other.
CHANNEL = 1
BAUD = 921600


async def main(stream, waits=False):
    import network

    station = network.WLAN(network.WLAN.IF_STA)
    station.active(True)
    station.config(channel=CHANNEL)
    bridge = Bridge(stream, waits=waits, interface=station)
    bridge.start()
    # For ever.
    await asyncio.Event().wait()


if __name__ == "__main__":
    from machine import UART

    # Which pins it has: pass tx=... and rx=... as the board needs it.
    asyncio.run(main(UART(1, BAUD, timeout=0, rxbuf=4096)))
