# What bench/smallest_heap.py runs: a provisioned Client that sends messages to itself, by way of gateway and server,
# and takes them with their reports. Arguments: the device's file, "minimal" or "full", how many, octets of each.
# Prints one JSON object: messages delivered, octets in use early and at the end, and what went wrong.
# pyright: reportAttributeAccessIssue=false, reportArgumentType=false, reportCallIssue=false

import gc

# Collected often, what is loaded first lies close together, and the heap that is left stays in one piece.
gc.threshold(4096)

import asyncio  # noqa: E402
import json  # noqa: E402
import sys  # noqa: E402

from msgin5g import provisioning  # noqa: E402

_EARLY = 200


def client(file, everything):
    if not everything:
        from msgin5g.store.memory import MemoryStore  # noqa: PLC0415

        return provisioning.client(file, store=MemoryStore())
    from msgin5g import aggregation, messages_cbor, reassembly, segmentation, topics  # noqa: F401, PLC0415
    from msgin5g.coap import numbers  # noqa: PLC0415

    return provisioning.client(
        file, folder=file + ".messages", content_format=numbers.CBOR, linger=0, segment_size=512
    )


async def exchange(ue, count, octets):
    used = [0, 0]
    await ue.register()
    for number in range(count):
        payload = f"{number:08}" + "x" * (octets - 8)
        sent = await ue.send(payload, ue=ue.ue_service_id)
        message = await ue.receive()
        if message.payload != payload or not await sent.delivered():
            raise ValueError(f"message {number}")
        if number == _EARLY or number == count - 1:
            gc.collect()
            used[number != _EARLY] = gc.mem_alloc()
    return used


def main():
    file, which, count, octets = sys.argv[1:5]
    ue = client(file, which == "full")
    used = asyncio.run(exchange(ue, int(count), int(octets)))
    gc.collect()
    counters = ue.endpoint.counters
    print(
        json.dumps(
            {
                "delivered": int(count),
                "early": used[0],
                "late": used[1],
                "free": gc.mem_free(),
                "errors": ue.link.errors + counters["callback_errors"],
                "timeouts": counters["timeouts"],
                "smaller_reads": ue.link.short_of_memory,
            }
        )
    )


main()
