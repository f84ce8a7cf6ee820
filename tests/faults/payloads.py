"""Payloads that tell by themselves whether they are whole: a name, and as much of it again as fills the size."""


def make(name, size=0):
    """The payload of that name, of so many characters or as many as the name has."""
    filler = f"|{name}"
    return (name + filler * (size // len(filler) + 1))[: max(size, len(name))]


def name_of(payload):
    """The name of a payload; of one that is not what was made, what is wrong with it."""
    name = payload.partition("|")[0]
    if payload == make(name, len(payload)):
        return name
    return f"damaged: {payload[:60]!r}, {len(payload)} characters"
