# What a UDP link does when the network seems to have gone: loaded then. Whoever calls getaddrinfo() on a board stands
# still until a name server has answered or is given up, so it is asked ever more rarely.

import asyncio
import socket

_FIRST_PAUSE = 1000
_LONGEST_PAUSE = 60000


async def mend(link):
    # A new socket at once the first time, then after 1, 2, 4 s ... up to a minute, until something is received.
    while True:
        try:
            await asyncio.sleep_ms(link._pause)
            link._pause = min(_LONGEST_PAUSE, link._pause * 2 or _FIRST_PAUSE)
            link.renew(*_where(link))
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
    return (link._family,)
