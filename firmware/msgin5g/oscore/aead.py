# AES-CCM-16-64-128 (RFC 9053, 4.2): AES-128, a nonce of 13 octets, a tag of 8, on the AES block cipher of a board.
# What it computes with is allocated once: there is one message at a time.

from cryptolib import aes

TAG = 8

_mac = bytearray(16)
_counter = bytearray(16)
_stream = bytearray(16)


class Aead:
    def __init__(self, key):
        # 1: ECB
        self._encrypt = aes(key, 1).encrypt

    def seal(self, nonce, aad, data, size):
        # data, a memoryview: so many octets and room for a tag. It is sealed where it is, and returned.
        self._begin(nonce, aad, size)
        at = 0
        while at < size:
            end = self._next_block(at, size)
            for place in range(at, end):
                octet = data[place]
                _mac[place - at] ^= octet
                data[place] = octet ^ _stream[place - at]
            self._encrypt(_mac, _mac)
            at = end
        self._tag()
        for place in range(TAG):
            data[size + place] = _mac[place]
        return data[: size + TAG]

    def open(self, nonce, aad, sealed, into, start):
        # What was sealed goes into a bytearray, from start on; returns how many octets, -1 when it is forged.
        size = len(sealed) - TAG
        self._begin(nonce, aad, size)
        at = 0
        while at < size:
            end = self._next_block(at, size)
            for place in range(at, end):
                octet = sealed[place] ^ _stream[place - at]
                _mac[place - at] ^= octet
                into[start + place] = octet
            self._encrypt(_mac, _mac)
            at = end
        self._tag()
        different = 0
        for place in range(TAG):
            different |= _mac[place] ^ sealed[size + place]
        return -1 if different else size

    def _begin(self, nonce, aad, size):
        # The first block and the additional data, which has less than 2**8 octets (RFC 3610, 2.2).
        encrypt = self._encrypt
        _mac[0] = 0x59
        _mac[1:14] = nonce
        _mac[14] = size >> 8
        _mac[15] = size & 0xFF
        encrypt(_mac, _mac)
        _mac[1] ^= len(aad)
        place = 2
        for octet in aad:
            if place == 16:
                encrypt(_mac, _mac)
                place = 0
            _mac[place] ^= octet
            place += 1
        encrypt(_mac, _mac)
        _counter[0] = 1
        _counter[1:14] = nonce

    def _next_block(self, at, size):
        # The key stream for the octets from `at` on; where its block ends.
        number = (at >> 4) + 1
        _counter[14] = number >> 8
        _counter[15] = number & 0xFF
        self._encrypt(_counter, _stream)
        return min(at + 16, size)

    def _tag(self):
        _counter[14] = _counter[15] = 0
        self._encrypt(_counter, _stream)
        for place in range(TAG):
            _mac[place] ^= _stream[place]
