# A security context (RFC 8613, 3): what two peers share, and what this one has sent and received under it.

try:
    from .aead import Aead
except ImportError:
    from .aead_host import Aead

# The window of a context that has been used before, and was lost since: no request is known to be new.
LOST = 1 << 40
_LONGEST_ID = 7

_nonce = bytearray(13)


class Context:
    # name: whose it is, for the application. keys: see derive.keys().
    #
    # storage keeps a number where no power cut can reach it: load() -> the number, None when there never was one;
    # save(number) returns when the number is, or will be before anything is sent. It is called once for `stride`
    # messages; on a board it is a store.counter.Counter. window: requests may arrive out of order by so many.
    def __init__(self, name, sender_id, recipient_id, id_context, keys, storage, window=32, stride=64):
        self.name = name
        self.sender_id = sender_id
        self.recipient_id = recipient_id
        self.id_context = id_context
        # What of it is told in each request; None where the peer knows it by the sender id alone.
        self.kid_context = id_context
        self.sender = Aead(keys[0])
        self.recipient = Aead(keys[1])
        self.sender_iv = _iv(keys[2], sender_id)
        self.recipient_iv = _iv(keys[2], recipient_id)
        self._storage = storage
        self._stride = stride
        self._window = window
        # The highest number received; the bits of it and of those below it that have been received.
        self._highest = -1
        self._seen = 0
        # Requests below have to prove by this Echo option that they are new (RFC 8613, B.1.2).
        self.floor = 0
        self.echo = None
        self._next = self._limit = 0
        stored = storage.load()
        if getattr(storage, "doubtful", False):
            # The last save was cut off, or was damaged later: what it was for may have been used.
            stored = (stored or 0) + stride
        if stored is None:
            # Its first use. From now on it can be seen that there was one.
            self._reserve()
        else:
            self._next = self._limit = stored
            self.floor = LOST

    # -- what this side sends

    def take_piv(self):
        # A Partial IV that was never used, and never will be again (RFC 8613, 5.2 and B.1.1).
        if self._next >= self._limit:
            # Another Context object may have used the same keys meanwhile.
            self._next = max(self._next, self._storage.load() or 0)
            self._reserve()
        number = self._next
        self._next += 1
        size = 1
        while number >> (size << 3):
            size += 1
        return number.to_bytes(size, "big")

    def _reserve(self):
        limit = self._next + self._stride
        if limit > LOST:
            raise OverflowError("all sequence numbers are used: new keys are needed")
        self._storage.save(limit)
        self._limit = limit

    # -- what it has received

    def is_replay(self, number):
        # Known, or too old to tell (RFC 8613, 7.4).
        behind = self._highest - number
        return behind >= 0 and (behind >= self._window or bool(self._seen >> behind & 1))

    def accept(self, number):
        # Of a message that was opened.
        ahead = number - self._highest
        if ahead > 0:
            # No shift by more than the window: a board has no such number.
            inside = ahead < self._window
            self._seen = (self._seen & (1 << self._window - ahead) - 1) << ahead | 1 if inside else 1
            self._highest = number
        else:
            self._seen |= 1 << -ahead
        if self.floor == LOST:
            self.floor = number


def nonce(iv, piv):
    # RFC 8613, 5.2; iv already has the identifier in it. Valid until the next one is made.
    _nonce[:] = iv
    at = 13 - len(piv)
    for octet in piv:
        _nonce[at] ^= octet
        at += 1
    return _nonce


def _iv(common, identifier):
    # The common IV with the identifier of who makes the Partial IV.
    size = len(identifier)
    if size > _LONGEST_ID:
        raise ValueError("an identifier has at most %d octets" % _LONGEST_ID)
    made = bytearray(common)
    made[0] ^= size
    for place in range(size):
        made[8 - size + place] ^= identifier[place]
    return made
