# The part of the wire table that tells what a Delivery Status means, and how spellings are compared.

from . import wire

_WORDS = (
    ("fail", wire.FAILED),
    ("unsuccess", wire.FAILED),
    ("success", wire.SUCCESS),
    ("stored", wire.STORED),
    ("reject", wire.REJECTED),
)


def status(text):
    # In any spelling seen in the field; an unknown one is taken for a failure.
    text = plain(text)
    for word, meaning in _WORDS:
        if word in text:
            return meaning
    return wire.FAILED


def plain(key):
    return "".join([letter for letter in key.lower() if letter.isdigit() or letter.isalpha()])
