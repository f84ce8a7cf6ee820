# The MSGin5G Client Profile (TS 23.554, 8.2.1): what a registration tells of how this UE can be woken, when it listens
# and how much it takes at once.

from . import rfc3339, wire


def client_profile(triggering=None, availability=None, segment_size=None):
    # triggering, availability: what the functions below make. segment_size: octets of payload in one message.
    profile = {}
    if triggering:
        profile[wire.TRIGGERING_INFORMATION] = triggering
    if availability:
        profile[wire.COMMUNICATION_AVAILABILITY] = availability
    if segment_size:
        profile[wire.SUPPORTED_SEGMENT_SIZE] = segment_size
    return profile


def triggering(ue_identifier, port=None, protocol=None):
    # How the network wakes it (table 8.2.1-2): MSISDN or External ID; port; "SMS" or "NIDD", for example.
    information = {wire.UE_IDENTIFIER: ue_identifier}
    if port is not None:
        information[wire.PORT_NUMBER] = port
    if protocol is not None:
        information[wire.ASSOCIATED_PROTOCOL] = protocol
    return information


def availability(start, duration, interval=None, data_size=None, store_and_forward=None):
    # When it listens (table 8.2.1-3): from start, in seconds since 1970, for duration seconds, every interval seconds.
    # data_size: octets that it expects to send each time. store_and_forward: shall what comes meanwhile be stored?
    schedule = {
        wire.SCHEDULED_COMMUNICATION_TIME: rfc3339.format(start),
        wire.COMMUNICATION_DURATION_TIME: duration,
    }
    if interval is not None:
        schedule[wire.PERIODIC_INDICATOR] = True
        schedule[wire.PERIODIC_INTERVAL] = interval
    if data_size is not None:
        schedule[wire.DATA_SIZE_INDICATION] = data_size
    if store_and_forward is not None:
        schedule[wire.STORE_AND_FORWARD_OPTION] = store_and_forward
    return schedule
