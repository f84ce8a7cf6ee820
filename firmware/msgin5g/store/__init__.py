# Stores hold messages until the next hop has accepted them, or, in an inbox, until the application has taken them. All
# have the same face:
#
#     put(hop, originator, kind, message_id, segment, body, expires=None, report=False, priority=MIDDLE)
#         -> delivery.Item, or None for one that is known
#     remove(item)                        accepted, refused or expired; it stays known as a duplicate
#     withdraw(item)                      put, but commit() raised Full: as if it had never come, not known either
#                                         (not in the hosts' store, whose process ends when a commit fails)
#     keep(item)                          removed, but commit() raised Full: as if it had not been (as withdraw())
#     knows(hop, originator, kind, message_id, segment)      was it put before, whatever became of it?
#     pending(hop, after, most, priority=None) -> [Item]     oldest first, with a key above `after`
#     expired(seconds, most) -> [Item]    those whose expiration time has come
#     commit()                            what was put and removed is durable, all of it or nothing, when this returns
#     birth, next_key                     on boards: a few octets that were random when the store was made, and the key
#                                         of the next item; keys only grow
#     on_dropped                          None, or called with an item that was dropped to make room
#
# put() raises Full when there is no room, and so does commit() of a store whose medium fails. The inbox has room of its
# own: what comes in takes none from what is to go out, and none is ever dropped.

from hashlib import sha256

# The hop of what has come in and waits for the application, and that of the delivery status reports on it: they share
# their room, so that a report always finds the place of the message that it is about.
INBOX = "in"
REPORTS = "reports"
# Segments that wait for the others of their message.
SEGMENTS = "segments"
INCOMING = (INBOX, REPORTS, SEGMENTS)


class Full(Exception):
    pass


def identify(hop, originator, kind, message_id, segment):
    # What a message is known by: 8 octets, since many are remembered.
    return sha256(f"{hop}\0{originator}\0{kind}\0{message_id}\0{segment}".encode()).digest()[:8]


# The medium fails: what was put or removed since the last commit() may not outlive a restart, and nothing that depends
# on it may be sent. The next commit() tries again; withdraw() what it shall not try.
class Broken(Full):
    pass
