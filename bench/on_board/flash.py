# What bench/flash.py runs: a store on LittleFS in RAM; one JSON object. Arguments: block size, messages.
# pyright: reportAttributeAccessIssue=false, reportMissingImports=false, reportArgumentType=false
# pyright: reportCallIssue=false

import gc
import json
import sys
import time

import vfs
from msgin5g import delivery  # noqa: F401 (a client has it already)


def used():
    gc.collect()
    return gc.mem_alloc()


class Device:
    # Counts what wears a flash.
    def __init__(self, block_size, blocks):
        self.block_size = block_size
        self.data = memoryview(bytearray(block_size * blocks))
        self.octets = 0
        self.erased = 0

    def readblocks(self, block, buffer, offset=0):
        start = block * self.block_size + offset
        buffer[:] = self.data[start : start + len(buffer)]

    def writeblocks(self, block, buffer, offset=0):
        start = block * self.block_size + offset
        self.octets += len(buffer)
        self.data[start : start + len(buffer)] = buffer

    def ioctl(self, operation, _argument):
        if operation == 4:
            return len(self.data) // self.block_size
        if operation == 5:
            return self.block_size
        self.erased += operation == 6
        return 0


def main():
    block_size, count = int(sys.argv[1]), int(sys.argv[2])
    device = Device(block_size, max(256 * 1024 // block_size, 32))
    vfs.VfsLfs2.mkfs(device)
    vfs.mount(vfs.VfsLfs2(device), "/flash")
    figures = {"block": block_size}
    before = used()
    from msgin5g.store.flash import FlashStore  # noqa: PLC0415 (its import is measured)

    figures["import"] = used() - before
    before = used()
    store = FlashStore("/flash/outbox")
    figures["store"] = used() - before

    body = bytes(100)
    # A life: stored, and removed when it was accepted, a commit each.
    octets, erased, put, removed = device.octets, device.erased, 0, 0
    for number in range(count):
        began = time.ticks_us()
        item = store.put("", "ue@bench.example", "MSG", "00000000000000000000000000000000", number, body)
        store.commit()
        put += time.ticks_diff(time.ticks_us(), began)
        began = time.ticks_us()
        store.remove(item)
        store.commit()
        removed += time.ticks_diff(time.ticks_us(), began)
    figures["octets"] = (device.octets - octets) / count
    figures["erased"] = (device.erased - erased) / count
    figures["put_us"] = put / count
    figures["remove_us"] = removed / count

    # What is in RAM for each that is stored, besides the table that was there before.
    item = None
    before = used()
    stored = 0
    for number in range(32):
        store.put("", "ue@bench.example", "MSG", "waiting", number, body)
        store.commit()
        stored += 1
    figures["item"] = (used() - before) / stored
    before = used()
    began = time.ticks_us()
    store = FlashStore("/flash/outbox")
    figures["open_us"] = time.ticks_diff(time.ticks_us(), began)
    began = time.ticks_us()
    items = store.pending("", -1, 16)
    figures["pending_us"] = time.ticks_diff(time.ticks_us(), began)
    began = time.ticks_us()
    length = sum(len(item.body) for item in items)
    figures["body_us"] = time.ticks_diff(time.ticks_us(), began) / len(items)
    figures["loaded"] = len(items) if length == 1600 else 0
    print(json.dumps(figures))


main()
