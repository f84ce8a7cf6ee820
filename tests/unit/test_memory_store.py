# The store in RAM: the same rules as the durable ones.

from msgin5g.store import Full
from msgin5g.store.memory import MemoryStore


def put(store, message_id="m-1", hop="h", originator="o", kind="MSG", segment=0, expires=None):
    return store.put(hop, originator, kind, message_id, segment, b"{}", expires)


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
