# What a UDP link does rarely: a new socket when the network seems to have gone, and asking everybody. Loaded then.

import asyncio
import socket

# ms between two new sockets.
_FIRST_PAUSE = 1000
_LONGEST_PAUSE = 60000
# "All CoAP Nodes" (RFC 7252, 12.8).
_ALL_COAP_NODES = "224.0.1.187"
ALL_COAP_NODES_V6 = "ff02::fd"


async def mend(link):
    # A new socket at once the first time, then after 1, 2, 4 s ... up to a minute, until something is received. When
    # that has happened meanwhile the old one is kept: the peer goes on sending to it.
    # Whoever calls getaddrinfo() on a board stands still until a name server has answered or is given up.
    while True:
        try:
            heard = link._heard
            await asyncio.sleep_ms(link._pause)
            if link._heard != heard:
                break
            link._pause = min(_LONGEST_PAUSE, link._pause * 2 or _FIRST_PAUSE)
            renew(link, *_where(link))
            link.on_renewed()
            break
        except Exception as error:
            link._failed(error)
    link._mending = None


def _where(link):
    # The family and address of its peer, as the name server knows them now.
    name = link._names.get(link._peer)
    if name:
        try:
            found = socket.getaddrinfo(name[0], name[1])[0]
            return found[0], found[-1]
        except OSError:
            # No network, no name server: what was known may be right again.
            pass
    return link._family, None


def renew(link, family, target=None):
    # A new socket; it goes on with the same peer, who is at target now.
    waiting = link._tasks[0] if link._tasks else None
    if waiting and waiting is asyncio.current_task():
        # It is in the middle of a datagram, and will look at the new socket next.
        waiting = None
    if waiting:
        waiting.cancel()
    try:
        link._socket.close()
        link.open(family)
        link.renewed += 1
        if link._peer is not None:
            link._target = target or link._target
            link._socket.connect(link._target)
    finally:
        if waiting:
            link._tasks[0] = asyncio.create_task(link._receive())


def broadcast(link, port, group):
    try:
        link._socket.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
    except (AttributeError, OSError):
        # Not on this port; a multicast group needs no leave.
        pass
    if group is None:
        group = _ALL_COAP_NODES if link._family == socket.AF_INET else ALL_COAP_NODES_V6
    # Only what is received needs a hashable address, and nobody receives from a group.
    address = socket.getaddrinfo(group, port)[0][-1]
    return bytes(address) if isinstance(address, bytearray) else address
