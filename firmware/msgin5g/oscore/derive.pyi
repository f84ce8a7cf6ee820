"""An OSCORE context from its master secret (RFC 8613, 3.2.1)."""

from collections.abc import Iterable
from typing import Any

from .context import Context

def from_credentials(
    stored: dict[str, Any], storage: Any, name: str = "", window: int = 32, stride: int = 64
) -> Context:
    """Return one side's context.

        security = Security(from_credentials(stored, Counter("sequence"), "gateway-1@example.org"))
        ue = Client("meter-17@example.org", "192.168.4.1", security=security)

    Args:
        stored: hexadecimal master_secret, master_salt, sender_id, recipient_id, id_context (may be None). The other
            side has the same with sender_id and recipient_id exchanged.
        storage: where the sequence number is kept: `store.counter.Counter`.
        name: UE Service ID of the other side.
        window: requests may arrive out of order by so many.
        stride: the number is saved once for so many messages.

    Raises:
        KeyError: something is missing.
        ValueError: something is not hexadecimal, both ids are the same, or the storage is damaged.
    """

def keys(
    secret: bytes, salt: bytes, sender_id: bytes, recipient_id: bytes, id_context: bytes | None
) -> tuple[bytes, bytes, bytes]:
    """Return sender key, recipient key and common IV."""

def hmac(key: bytes, pieces: Iterable[bytes | memoryview]) -> bytes:
    """Return the HMAC-SHA-256 (RFC 2104) of a message in pieces."""
