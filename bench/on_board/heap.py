# What bench/heap.py runs: octets of heap after each import, one JSON object. Arguments: a device's file (or "-"), and
# what to import, in order. With a device's file, also of the Client that the file makes, and the modules loaded then.
# pyright: reportAttributeAccessIssue=false, reportArgumentType=false, reportCallIssue=false

import gc
import json
import sys


def used():
    gc.collect()
    return gc.mem_alloc()


def main():
    device = sys.argv[1]
    # Room for all of it beforehand, so that what is kept here does not count.
    names = sys.argv[2:]
    kept = [None] * len(names)
    figures = [0] * (len(names) + 2)
    figures[0] = used()
    for place, name in enumerate(names):
        kept[place] = __import__(name)
        figures[place + 1] = used()
    made = None
    if device != "-":
        # As an application does, at last.
        from msgin5g import provisioning  # noqa: PLC0415
        from msgin5g.store.memory import MemoryStore  # noqa: PLC0415

        made = provisioning.client(device, store=MemoryStore())
    figures[-1] = used()
    loaded = [name for name in sys.modules if name.startswith("msgin5g")]
    print(json.dumps({"used": figures, "loaded": loaded, "made": made is not None}))


main()
