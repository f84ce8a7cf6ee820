# What a full store on flash drops; loaded when it is full for the first time.

from .flash import DROP_OLDEST


def choose(store, priority, items, octets):
    # The items to be dropped for a new one of this priority, so many and so many octets at least; None when that is not
    # to be had.
    dropped = []
    for key in _in_order(store, priority):
        if items <= 0 and octets <= 0:
            break
        victim = store.find(key)
        if victim and (store.may_drop is None or store.may_drop(victim)):
            dropped.append(victim)
            items -= 1
            octets -= victim.size
    return dropped if items <= 0 and octets <= 0 else None


def _in_order(store, priority):
    # Keys of what the policy drops, the first one first.
    if store.when_full == DROP_OLDEST:
        return sorted([key for _, key in store.outgoing()])
    droppable = sorted([(-other, key) for other, key in store.outgoing() if other >= priority])
    return [key for _, key in droppable]
