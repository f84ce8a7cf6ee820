# Stores hold messages until the next hop has accepted them. All have the same face:
#
#     put(hop, originator, kind, message_id, segment, body, expires, report) -> Item, or None for one that is known
#     remove(item)                        accepted, refused or expired; it stays known as a duplicate
#     pending(hop, after, most) -> [Item]    oldest first, with a key above `after`
#     expired(seconds, most) -> [Item]       those whose expiration time has come
#     commit()                            what was put or removed is durable when this returns
#
# put() raises Full when there is no room.


class Full(Exception):
    pass
