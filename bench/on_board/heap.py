# What bench/heap.py runs: octets of heap after each import, one JSON object. Arguments: what to import, in order;
# "Client" makes a Client object.
# pyright: reportAttributeAccessIssue=false, reportArgumentType=false, reportCallIssue=false

import gc
import json
import sys


def used():
    gc.collect()
    return gc.mem_alloc()


def take(what):
    if what == "Client":
        from msgin5g.client import Client  # noqa: PLC0415 (as an application does, at last)

        return Client("ue@bench.example", "127.0.0.1", 5683, False)
    return __import__(what)


def main():
    # Room for all of it beforehand, so that what is kept here does not count.
    names = sys.argv[1:]
    kept = [None] * len(names)
    figures = [0] * (len(names) + 1)
    figures[0] = used()
    for place, name in enumerate(names):
        kept[place] = take(name)
        figures[place + 1] = used()
    print(json.dumps(figures))


main()
