# The store in RAM: the same rules as the durable ones.

from msgin5g.delivery import HIGH, LOW, MIDDLE
from msgin5g.store import INBOX, Full
from msgin5g.store.memory import MemoryStore


def put(store, message_id="m-1", hop="h", originator="o", kind="MSG", segment=0, **options):
    return store.put(hop, originator, kind, message_id, segment, b"{}", **options)


def test_oldest_first_by_hop():
    store = MemoryStore()
    for number in range(4):
        put(store, str(number), "ab"[number & 1])
    assert [item.message_id for item in store.pending("a", -1, 10)] == ["0", "2"]
    first = store.pending("b", -1, 1)
    assert [item.message_id for item in first] == ["1"]
    assert [item.message_id for item in store.pending("b", first[0].key, 10)] == ["3"]
    assert len(store) == 4


def test_duplicates_are_known_while_stored_and_after():
    store = MemoryStore()
    item = put(store)
    assert put(store) is None
    store.remove(item)
    assert put(store) is None and len(store) == 0
    for different in ({"hop": "x"}, {"originator": "x"}, {"kind": "x"}, {"message_id": "x"}, {"segment": 1}):
        assert put(store, **different), different


def test_full():
    store = MemoryStore(2, 8)
    first = put(store, "1")
    put(store, "2")
    try:
        put(store, "3")
        raise AssertionError("not full")
    except Full:
        pass
    # It is no duplicate when it comes again, and those that are stay known.
    assert put(store, "1") is None
    store.remove(first)
    assert put(store, "3")


def test_the_memory_of_duplicates_is_bounded():
    store = MemoryStore(2, 3)
    for number in range(10):
        store.remove(put(store, str(number)))
    assert len(store._known) == 3
    assert put(store, "9") is None and put(store, "6")


def test_keys_are_never_given_twice():
    store = MemoryStore()
    keys = set()
    for number in range(20):
        item = put(store, str(number))
        keys.add(item.key)
        store.remove(item)
    assert len(keys) == 20


def test_removed_twice():
    store = MemoryStore()
    item = put(store, "1")
    put(store, "2")
    store.remove(item)
    store.remove(item)
    assert len(store) == 1


def test_expired():
    store = MemoryStore()
    put(store, "never")
    put(store, "1", expires=5)
    put(store, "2", expires=6)
    assert [item.message_id for item in store.expired(5, 10)] == ["1"]
    assert len(store.expired(6, 10)) == 2 and len(store.expired(6, 1)) == 1
    store.commit()


def test_by_priority():
    store = MemoryStore()
    for number in range(6):
        put(store, str(number), priority=(LOW, HIGH)[number & 1])
    high = store.pending("h", -1, 2, HIGH)
    assert [item.message_id for item in high] == ["1", "3"]
    assert [item.message_id for item in store.pending("h", high[-1].key, 2, HIGH)] == ["5"]
    assert [item.message_id for item in store.pending("h", -1, 10)] == ["0", "1", "2", "3", "4", "5"]
    assert not store.pending("h", -1, 10, MIDDLE)


def test_what_an_item_says_of_itself():
    store = MemoryStore()
    item = put(store, segment=3, priority=LOW, expires=5, report=True)
    assert (item.segment, item.priority, item.expires, item.report) == (3, LOW, 5, True)
    assert put(store, "other").priority == MIDDLE


def test_inbox_and_outbox_have_room_and_memory_of_their_own():
    store = MemoryStore(most_items=1, most_known=2, most_inbox=1)
    incoming = put(store, "in", hop=INBOX)
    put(store, "out")
    for hop in ("h", INBOX):
        try:
            put(store, "more", hop=hop)
            raise AssertionError("not full")
        except Full:
            pass
    for number in range(5):
        store.remove(store.pending("h", -1, 1)[0])
        put(store, str(number))
    store.remove(incoming)
    assert store.knows(INBOX, "o", "MSG", "in", 0) and not store.knows(INBOX, "o", "MSG", "out", 0)
    assert not store.knows("h", "o", "MSG", "out", 0) and store.knows("h", "o", "MSG", "4", 0)


def test_withdrawn_is_as_if_it_had_never_come():
    store = MemoryStore()
    first = put(store)
    store.withdraw(first)
    assert not store.knows("h", "o", "MSG", "m-1", 0) and not len(store)
    assert put(store).key > first.key
