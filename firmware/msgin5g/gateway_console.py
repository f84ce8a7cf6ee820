# The serial console of a gateway on a board: a line in, a line of JSON out. Whoever has the cable may do this.
#
#     enrol NAME [HOST:PORT]    a key for a device: what it is to have as its device.json
#     revoke NAME               refuse it from now on
#     devices                   who is enrolled
#     state                     what is counted

import asyncio
import json
import sys

from .gateway_devices import NotEnrolled
from .gateway_settings import BadSettings

_LONGEST_LINE = 600


def answer(board, line):
    # To a line: an object for JSON, None to an empty one.
    words = line.split()
    if not words:
        return None
    try:
        if words[0] == "enrol" and len(words) in (2, 3):
            return {"enrolled": board.enrol(*words[1:])}
        if words[0] == "revoke" and len(words) == 2:
            board.revoke(words[1])
            return {"revoked": words[1]}
        if words == ["devices"]:
            devices = board.contexts.devices.all() if board.contexts else []
            return {"devices": [{"ue_service_id": name, "revoked": revoked} for name, revoked in devices]}
        if words == ["state"]:
            return {"state": board.counts()}
    except (NotEnrolled, BadSettings) as error:
        return {"error": error.args[0]}
    except OSError as error:
        return {"error": "can't be stored: %s" % error}
    return {"error": "expected: enrol NAME [HOST:PORT], revoke NAME, devices, state"}


async def run(board, stream=sys.stdin, write=print):
    # Until the stream ends. It is read character by character: readline() would stand still in the midst of a line.
    line = ""
    while True:
        yield asyncio.core._io_queue.queue_read(stream)  # type: ignore[attr-defined]
        character = stream.read(1)
        if not character:
            return
        if character not in "\r\n":
            line = (line + character)[:_LONGEST_LINE]
            continue
        try:
            said = answer(board, line)
            if said is not None:
                write(json.dumps(said))
        except Exception as error:
            # No memory, most likely: the next line may be luckier.
            write('{"error": "%s"}' % type(error).__name__)
        line = ""
