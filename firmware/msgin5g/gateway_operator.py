# What an operator sees of the UEs at a gateway, and may do with them.

from . import wire_rare

# Of a UE, as gateway_operator.state() says it.
REGISTERED = "registered"
# Until its next window; what is for it waits.
ASLEEP = "asleep"
# It did not take the last message: no answer, or no room. Delivery to it pauses.
WAITING = "waiting"
# It has asked to be registered, and the server has not answered yet.
REGISTERING = "registering"
ABSENT = "not registered"

# Messages that one step of flush() looks at.
_AT_ONCE = 500


def state(gateway, ue):
    entry = gateway.registry.get(ue)
    if entry is None:
        return REGISTERING if gateway.registering(ue) else ABSENT
    clients = gateway._relay.clients
    if clients.sleepers.sleeps(entry):
        return ASLEEP
    return WAITING if clients.delivery.silent(ue) else REGISTERED


def queue(gateway, ue):
    # Messages that wait: for it, and of it for the server.
    shares = gateway._relay.shares()
    return shares.used(ue), shares.used("\t" + ue)


def limit(gateway, requests, messages):
    # Bounds of single UEs, by UE Service ID, in place of those that hold for all: requests in a second; messages that
    # it has sent, and that wait for it.
    gateway.coap_server.limits = requests
    gateway._relay.shares().limits = messages


def flush(gateway, ue, after, now):
    # Takes out what waits for a UE with a key above `after`, but what is under way; a sender that asked for reports is
    # told. Returns (how many, the key to go on after or None): a queue may be long, and others are not to wait for it.
    relay = gateway._relay
    delivery = relay.clients.delivery
    store = relay.shares()
    items = store.pending(ue, after, _AT_ONCE)
    count = 0
    for item in items:
        if delivery.under_way(item):
            continue
        delivery.discard(item)
        store.remove(item)
        relay.report_failure(item, wire_rare.DISCARDED, now)
        count += 1
        if gateway.on_traffic is not None:
            gateway.on_traffic("flushed", item, ue, now)
    gateway.counters["flushed"] = gateway.counters.get("flushed", 0) + count
    return count, items[-1].key if len(items) == _AT_ONCE else None


def queues(gateway):
    # Messages that wait for UEs, and for the server, and how many UEs they wait for. It walks over all of them.
    down = up = ues = 0
    for name, used in gateway._relay.shares().all_used():
        if name.startswith("\t"):
            up += used
        else:
            down += used
            ues += 1
    return down, up, ues
