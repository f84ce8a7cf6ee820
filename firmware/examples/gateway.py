# A gateway: a board with PSRAM between devices in its reach and a server. gateway.json has its settings,
# gateway-device.json its key for the server. What is on its way outlives a power cut, as do registrations.

import gc

# Collected often, what is loaded now lies close together. From the start of the gateway on it is collected less often.
gc.threshold(32768)

import asyncio  # noqa: E402

from msgin5g import gateway_board, gateway_console  # noqa: E402


def on_event(word, detail):
    print(word, detail)


def watchdog():
    # Starts the board anew when it has not been fed for so many milliseconds.
    try:
        from machine import WDT

        return WDT(timeout=30000).feed
    except ImportError:
        # Not a board.
        return None


async def main():
    gateway = gateway_board.from_file("gateway.json", on_event=on_event)
    # Devices are enrolled and revoked on the console.
    console = asyncio.create_task(gateway_console.run(gateway))  # type: ignore[arg-type]
    try:
        await gateway.run(watchdog())
    finally:
        console.cancel()


if __name__ == "__main__":
    asyncio.run(main())
