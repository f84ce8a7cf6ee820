# What bench/codec.py runs on each interpreter, CPython among them: microseconds and octets of garbage for one message.
# Prints one JSON object. Argument: how often.
# pyright: reportAttributeAccessIssue=false

import gc
import json
import sys
import time

from msgin5g import messages, wire
from msgin5g.coap import numbers as coap
from msgin5g.coap.message import Message, encode, encode_options
from msgin5g.resource import request_options

# 100 octets of JSON, as the peers' figures are for.
BODY = b'{"temperature": 23.5, "humidity": 41, "battery": 3.71, "counter": 12345, "location": "greenhouse-7"}'
TOKEN = b"\x01\x02\x03\x04"
MESSAGE_ID = "11111111-2222-4333-8444-555555555555"

if sys.implementation.name == "micropython":

    def microseconds(since):
        return time.ticks_diff(time.ticks_us(), since)

    now = time.ticks_us
    allocated = gc.mem_alloc
else:

    def now():
        return time.perf_counter_ns() // 1000

    def microseconds(since):
        return now() - since

    allocated = None


def measure(function, times):
    function()
    best = None
    for _ in range(5):
        gc.collect()
        since = now()
        for _ in range(times):
            function()
        took = microseconds(since)
        best = took if best is None else min(best, took)
    garbage = None
    if allocated:
        # A collection would take the garbage away before it is counted.
        gc.collect()
        gc.disable()
        before = allocated()
        for _ in range(8):
            function()
        garbage = (allocated() - before) // 8
        gc.enable()
    return best / times, garbage


def main():
    times = int(sys.argv[1])
    assert len(BODY) == 100
    options = encode_options(request_options())
    datagram = encode(coap.CON, coap.POST, 0x1234, TOKEN, options, BODY)
    size = len(datagram)
    received = Message()
    elements = messages.message((wire.UE, "ue@bench"), (wire.AS, "as@bench"), MESSAGE_ID, True, True)
    messages.set_payload(elements, str(BODY, "utf-8"))
    body = messages.encode(elements)
    functions = {
        "CoAP encode": lambda: encode(coap.CON, coap.POST, 0x1234, TOKEN, options, BODY),
        "CoAP decode": lambda: received.decode(datagram, size),
        "messages.encode": lambda: messages.encode(elements),
        "messages.decode": lambda: messages.decode(body),
    }
    print(json.dumps({name: measure(function, times) for name, function in functions.items()}))


if __name__ == "__main__":
    main()
