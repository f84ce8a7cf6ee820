# An application on a UE without a MSGin5G Client, for test_application_client.py. Arguments: port (of UDP, or a device),
# count, and the form of its messages, l3 or coap. It registers, sends `count` messages with a report each, and takes what
# comes; prints what happens, a line each, and ends when all of its messages are reported on and as many have come.

# The client is of one form or the other, and so is all that it takes.
# ruff: noqa: PTH123, SIM115
# pyright: reportArgumentType=false

import os
import sys

COUNT = int(sys.argv[2])
FORM = sys.argv[3]
# JSON is longer.
MOST_OCTETS = 256 if FORM == "l3" else 512

if FORM == "l3":
    from msgin5g.application_client import ApplicationClient

    client = ApplicationClient(17, b"a secret", os.urandom, ack_timeout=150)
    target = b"as@example.org"
else:
    from msgin5g.application_client_coap import ApplicationClient

    client = ApplicationClient("meter", "a secret", os.urandom, ack_timeout=150)
    target = "as@example.org"


def connected(port):
    if port[0] != "/":
        from msgin5g.application_client_udp import Link

        link = Link(client, "127.0.0.1", int(port))
        return link, lambda: link.poll(100, MOST_OCTETS)
    import termios

    from msgin5g.application_client_serial import Link

    line = open(port, "r+b")
    termios.setraw(line.fileno())  # pyright: ignore[reportAttributeAccessIssue]
    link = Link(client, line, waits=True, most_octets=MOST_OCTETS)
    return link, lambda: link.poll(100)


link, poll = connected(sys.argv[1])
reported = []
received = []


def on_report(message_id, delivered):
    reported.append(delivered)
    print("reported", delivered)


def on_message(message_id, originator, said):
    received.append(1)
    print("received", said if isinstance(said, str) else str(said, "ascii"))


def payload(text):
    return text.encode() if FORM == "l3" else text


client.on_report = on_report
client.on_message = on_message
client.on_told = lambda message_id, cause: print("told" if message_id else "registered", cause)
client.register(link.now())
sent = 0
while len(reported) < COUNT or len(received) < COUNT:
    if (
        client.registered
        and sent < COUNT
        and client.send(target, payload(f"message {sent}"), link.now(), report=True)
    ):
        sent += 1
    poll()
# What was answered last may have been lost.
for _ in range(20):
    poll()
print("done")
