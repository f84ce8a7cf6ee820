"""The MSGin5G Client Profile (TS 23.554, 8.2.1): how this UE is woken, when it listens, how much it takes at once.

schedule = availability(1767225600, duration=60, interval=3600)
ue = provisioning.client(profile=client_profile(availability=schedule))
"""

from typing import Any

def client_profile(
    triggering: dict[int, Any] | None = None,
    availability: dict[int, Any] | None = None,
    segment_size: int | None = None,
) -> dict[int, Any]:
    """Return a profile for `Client(profile=...)`.

    Args:
        triggering: as triggering() makes it.
        availability: as availability() makes it.
        segment_size: octets of payload that this UE takes in one message.
    """

def triggering(ue_identifier: str, port: int | None = None, protocol: str | None = None) -> dict[int, Any]:
    """Return how the network wakes this UE (table 8.2.1-2).

    Args:
        ue_identifier: MSISDN or External ID.
        port: where the trigger goes.
        protocol: "SMS" or "NIDD", for example.
    """

def availability(
    start: int,
    duration: int,
    interval: int | None = None,
    data_size: int | None = None,
    store_and_forward: bool | None = None,
) -> dict[int, Any]:
    """Return when this UE listens (table 8.2.1-3).

    Args:
        start: of the first window, in seconds since 1970.
        duration: of each window, in seconds.
        interval: seconds from the start of one window to the next; None: there is only one.
        data_size: octets that this UE expects to send in each.
        store_and_forward: shall what comes meanwhile be stored?
    """
