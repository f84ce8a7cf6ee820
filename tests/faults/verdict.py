"""What came of a run: was anything lost, doubled, left behind or broken?"""

from collections import Counter

ENDS = {"delivered", "expired", "failed"}


def open_promises(ledger):
    """Promises whose end is not seen yet, with what is."""
    return [
        promise
        for promise in ledger.promises
        if not all(_closed(ledger, promise, to) for to in promise.recipients)
    ]


def _told(ledger, promise, recipient):
    # What the sender was told, of the copy for that recipient where there are several. What had its end before there
    # were copies, or before the sender knew of them, was told once, by no recipient: that counts for each that has said
    # nothing itself.
    states = ledger.states[promise.sender, promise.message_id]
    whose = {reporter for _, reporter in states}
    if len(promise.recipients) > 1 and whose.intersection(promise.recipients):
        whose = {recipient} if recipient in whose else {None}
    return {state for state, reporter in states if reporter in whose} & ENDS


def _unseen(ledger, promise, recipient, boards):
    # Handed over at the very moment at which its recipient was killed, so that nobody could see it. A process of
    # several clients says what it is about to hand over; for a board its report has to do.
    told = "delivered" in _told(ledger, promise, recipient)
    return (recipient, promise.message_id) in ledger.cut or (recipient in boards and told)


def _closed(ledger, promise, recipient):
    told = _told(ledger, promise, recipient)
    arrived = ledger.arrived[recipient, promise.payload]
    if not promise.report:
        return bool(arrived or told or (recipient, promise.message_id) in ledger.cut)
    # What has arrived is reported in the end, whatever a hop that gave up has told.
    return "delivered" in told or (bool(told) and not arrived)


def judge(site, ledger):
    """(what came of each copy, how often; what is wrong, a line each)."""
    outcomes = Counter()
    wrong = []
    killed_while_reading = set()
    for promise in ledger.promises:
        for recipient in promise.recipients:
            told = _told(ledger, promise, recipient)
            arrived = ledger.arrived[recipient, promise.payload]
            outcome = (
                "delivered" if arrived else "expired" if "expired" in told else "failed" if told else "lost"
            )
            if not arrived and "delivered" in told | ({"delivered"} if not promise.report else set()):
                outcome = "handed over unseen" if _unseen(ledger, promise, recipient, site.boards) else "lost"
            if outcome == "failed" or (outcome == "expired" and not promise.short):
                wrong.append(f"not to fail: {promise} for {recipient}: {told}")
            if arrived and promise.report and "delivered" not in told:
                wrong.append(f"report lost: {promise} for {recipient}: {told}")
            if outcome == "lost":
                states = ledger.states[promise.sender, promise.message_id]
                wrong.append(f"lost: {promise} for {recipient}: {told}; told in all: {states}")
            if arrived > 1 and promise.large and (recipient, promise.payload) in ledger.cut:
                killed_while_reading.add((recipient, promise.payload))
            outcomes[outcome] += 1
    for (recipient, payload), times in ledger.arrived.items():
        if times > 1 and (recipient, payload) not in killed_while_reading:
            wrong.append(f"doubled: {payload!r} came to {recipient} {times} times")
        if payload.startswith("damaged"):
            wrong.append(f"{recipient} got {payload}")
    outcomes["read twice, killed in between"] += len(killed_while_reading)
    return outcomes, wrong


def left_behind(site, ledger):
    """What is still in a store or under way, a line each; not registrations, which are renewed all the time."""
    found = []
    for daemon in site.daemons():
        found += [
            f"{daemon.service_id} still has {stored}"
            for stored in daemon.stored()
            if stored[0] != "REG" and not _in_parts(ledger, *stored)
        ]
    for ue, look in ledger.looks.items():
        found += [f"{ue} still has {stored}" for stored in look["stored"]]
        busy = {name: look["endpoint"][name] for name in BUSY if look["endpoint"].get(name)}
        if busy:
            found.append(f"{ue} is still busy: {busy}")
    return found


def _in_parts(ledger, _kind, originator, hop, message_id):
    # Segments of a message that expired while others of them were still on their way: a server holds them for 15
    # minutes (reassembly.py), not longer.
    told = {state for state, _ in ledger.states[originator.partition("\t")[2], message_id]}
    return hop.startswith("segments\t") and "expired" in told


# What an endpoint holds for as long as something is under way.
BUSY = ("waiting", "unanswered")


def _complaints(daemon):
    # Of one that ends where there is no room it is right to say so, and to show where that was.
    lines = []
    text = ""
    for line in [*daemon.errors().splitlines(), "{}"]:
        if not line.startswith("{"):
            text += line + " / "
            continue
        if "Traceback" in text and "nothing can be stored" not in text:
            lines.append(text)
        if '"level": "error"' in line and "disk" not in line:
            lines.append(line)
        text = ""
    return lines


def broken(site):
    """Processes that have ended by themselves or complained, a line each."""
    found = []
    for daemon in site.daemons():
        if not daemon.running:
            found.append(f"{daemon.service_id} has ended by itself: {daemon.status}")
        found += [f"{daemon.service_id} says: {line[:500]}" for line in _complaints(daemon)]
    for host in site.processes():
        if not host.running:
            found.append(f"{host.ue_service_id} has ended by itself")
        found += [f"{host.ue_service_id} says: {line}" for line in host.complaints()]
    return found
