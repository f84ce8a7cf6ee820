# AES-CCM-16-64-128 on a host: what aead.py is on a board.

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESCCM

TAG = 8


class Aead:
    def __init__(self, key):
        self._aes = AESCCM(key, TAG)

    def seal(self, nonce, aad, data, size):
        return self._aes.encrypt(nonce, data[:size], aad)

    def open(self, nonce, aad, sealed, into, start):
        try:
            return self._aes.decrypt_into(
                nonce, sealed, aad, memoryview(into)[start : start + len(sealed) - TAG]
            )
        except InvalidTag:
            return -1
