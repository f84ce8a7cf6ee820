"""AKMA (TS 33.535): how K_AF comes from K_AKMA, what A-KIDs look like, and a key file's contents.

K_AF is the key that a UE shares with one Application Function, for one protocol between them: the AF_ID it is derived
for is the function's name and the Ua* security protocol identifier (A.4). A UE derives it from K_AKMA; the Application
Function is given it by the network's AAnF (:class:`Anchor`) and never sees K_AKMA.
"""

from __future__ import annotations

import hmac
import json
import re
from typing import TYPE_CHECKING, Annotated, NamedTuple, Protocol

import msgspec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from host_tools.dtls import SUITES
from host_tools.settings import SettingsError

if TYPE_CHECKING:
    from pathlib import Path

# The psk_identity_hint, and what a psk_identity begins with (TS 24.109, K.3.2).
PREFIX = "3GPP-AKMA"
# FC values of TS 33.535, A.2 to A.4.
_FC_K_AKMA, _FC_A_TID, _FC_K_AF = bytes.fromhex("808182")
KEY_OCTETS = 32
# An identity, with the prefix, has to fit into what TLS libraries take (OpenSSL: 256 octets).
_LONGEST_A_KID = 200
_A_KID = re.compile(r"[^@\s\x00-\x1f]+@[A-Za-z0-9.-]+")
# Of OSCORE. TS 33.220, annex H, keeps organisation 0xFF free for what is agreed on otherwise: this project's choice.
UA_OSCORE = bytes((0xFF, 0, 0, 0, 1))
# What TS 33.535 derives OSCORE's Master Secret with, and what this project derives the Master Salt with.
_MASTER_SECRET, _MASTER_SALT = b"AKMA-OSCORE", b"AKMA-OSCORE salt"
_SECRET_OCTETS, _SALT_OCTETS = 16, 8


def kdf(key: bytes, fc: int, *parameters: bytes) -> bytes:
    """The key derivation function of TS 33.220, B.2: HMAC-SHA-256 over FC || P0 || L0 || P1 || L1 ..."""
    text = bytes((fc,)) + b"".join(one + len(one).to_bytes(2, "big") for one in parameters)
    return hmac.digest(key, text, "sha256")


def k_akma(k_ausf: bytes, supi: str) -> bytes:
    """K_AKMA from K_AUSF (TS 33.535, A.2)."""
    return kdf(k_ausf, _FC_K_AKMA, b"AKMA", supi.encode())


def a_tid(k_ausf: bytes, supi: str) -> bytes:
    """The AKMA Temporary UE Identifier (TS 33.535, A.3)."""
    return kdf(k_ausf, _FC_A_TID, b"A-TID", supi.encode())


def k_af(key: bytes, fqdn: str, ua: bytes) -> bytes:
    """K_AF from K_AKMA (TS 33.535, A.4).

    Args:
        key: K_AKMA.
        fqdn: the name of the Application Function.
        ua: the Ua* security protocol identifier, five octets.
    """
    return kdf(key, _FC_K_AF, fqdn.encode() + ua)


def ua_dtls(suite: int) -> bytes:
    """The Ua* security protocol identifier of TLS with a pre-shared key and a cipher suite (TS 33.220, H.3)."""
    return bytes((1, 0, 1)) + suite.to_bytes(2, "big")


# All protocols that this project speaks with K_AF.
PROTOCOLS = (*map(ua_dtls, SUITES.values()), UA_OSCORE)


def a_kid(routing_indicator: str, tid: bytes, realm: str) -> str:
    """The AKMA Key Identifier, ``username@realm``: the username has Routing Indicator and A-TID (TS 33.535, 6.1)."""
    return f"{routing_indicator}.{tid.hex()}@{realm}"


def is_a_kid(text: str) -> bool:
    """Whether it has the form ``username@realm``."""
    return len(text) <= _LONGEST_A_KID and _A_KID.fullmatch(text) is not None


def oscore_keys(key: bytes) -> tuple[bytes, bytes]:
    """Master Secret and Master Salt of OSCORE from a K_AF."""

    def expanded(info: bytes, octets: int) -> bytes:
        return HKDF(SHA256(), octets, None, info).derive(key)

    return expanded(_MASTER_SECRET, _SECRET_OCTETS), expanded(_MASTER_SALT, _SALT_OCTETS)


class ApplicationKey(NamedTuple):
    """What the AAnF answers (Naanf_AKMA_ApplicationKey_Get).

    Attributes:
        ue_service_id: whose key it is. The network says SUPI or GPSI; which UE Service ID belongs to it the server
            knows (TS 33.501, Y.2).
        key: K_AF.
        expires: when it ends, in seconds since 1970; None for never.
    """

    ue_service_id: str
    key: bytes
    expires: float | None


class Anchor(Protocol):
    """Where an Application Function gets K_AF: the AAnF of a network, or a table of one's own."""

    def get(self, a_kid: str, ua: bytes) -> ApplicationKey | None:
        """The key of an A-KID for a Ua* security protocol identifier; None for what is not known, or over."""
        ...


class UeKeys(msgspec.Struct, kw_only=True, omit_defaults=True):
    """The UE's side: what is in its key file.

    Attributes:
        ue_service_id: its UE Service ID.
        server_service_id: the server's Service ID, part of OSCORE's keys.
        a_kid: the A-KID.
        af_fqdn: the name of the server as an Application Function.
        k_akma: K_AKMA in hexadecimal, which every K_AF is derived from.
        k_af: or the keys themselves: Ua* security protocol identifier to K_AF, both in hexadecimal.
        oscore_sender_id: the Sender ID that the server gave it, in hexadecimal.
    """

    ue_service_id: str
    server_service_id: str
    a_kid: str
    af_fqdn: Annotated[str, msgspec.Meta(pattern="^[A-Za-z0-9.-]+$", max_length=253)]
    k_akma: str | None = None
    k_af: dict[str, str] = {}
    oscore_sender_id: str | None = None

    def __post_init__(self) -> None:
        """Check what types alone can't say."""
        if not is_a_kid(self.a_kid):
            raise ValueError("a_kid: expected username@realm, at most 200 characters")
        if not self.k_akma and not self.k_af:
            raise ValueError("k_akma or k_af is missing")
        keys = [*self.k_af.values(), *([self.k_akma] if self.k_akma else [])]
        if any(not re.fullmatch("[0-9a-fA-F]{64}", key) for key in keys):
            raise ValueError("k_akma, k_af: expected 64 hexadecimal digits")
        self.k_af = {ua.lower(): key for ua, key in self.k_af.items()}

    def key(self, ua: bytes) -> bytes | None:
        """K_AF for a protocol; None when there is none."""
        found = self.k_af.get(ua.hex())
        if found:
            return bytes.fromhex(found)
        return k_af(bytes.fromhex(self.k_akma), self.af_fqdn, ua) if self.k_akma else None

    def oscore_device(self) -> dict:
        """The same as a ``device.json`` (msgin5g.provisioning), for OSCORE.

        Raises:
            ValueError: the Sender ID or the key for it is missing.
        """
        key = self.key(UA_OSCORE)
        if key is None or self.oscore_sender_id is None:
            raise ValueError("there is no key for OSCORE in it")
        secret, salt = oscore_keys(key)
        return {
            "ue_service_id": self.ue_service_id,
            "gateway_ue_service_id": self.server_service_id,
            "oscore": {
                "master_secret": secret.hex(),
                "master_salt": salt.hex(),
                "sender_id": self.oscore_sender_id,
                "recipient_id": "",
            },
        }


def read(path: Path, key: str = "key_file") -> UeKeys:
    """A UE's keys, from its key file.

    Args:
        path: of the file.
        key: what the file is called where it is named.

    Raises:
        SettingsError: there is none, or it can't be used.
    """
    try:
        return msgspec.convert(json.loads(path.read_bytes()), UeKeys)
    except OSError as error:
        raise SettingsError(f"{key}: {path}: {error.strerror}; `msgin5g akma enrol` makes one") from error
    except ValueError as error:
        # A value may be a key: what is told are names and types.
        reason = error if isinstance(error, msgspec.ValidationError) else "it is not JSON"
        raise SettingsError(f"{key}: {path}: {reason}; `msgin5g akma enrol` makes one") from None
