# Segments with octets flipped, cut off, overwritten or strange: what is not damaged is there, and nothing raises.

import random

import flash
from msgin5g.store import INBOX
from msgin5g.store.flash import FlashStore

OPTIONS = {"most_octets": 16384, "most_known": 16}


def filled():
    # A store with several segments, and which entries are where: (file, offset, end, Message ID).
    place = flash.folder()
    store = FlashStore(place, **OPTIONS)
    for number in range(24):
        hop = INBOX if number & 1 else ""
        store.put(hop, "ue-1", "MSG", str(number), 0, bytes([number]) * 150)
        if number % 3 == 2:
            store.commit()
    entries = []
    for position in range(len(store._index)):
        record = store._index.at(position)
        name = store._log.path(record[1]).rpartition("/")[2]
        entries.append((name, record[2], record[2] + 12 + record[3], str(position)))
    assert len(store._log.segments) >= 3
    return place, entries


def served(store):
    found = {}
    for hop in ("", INBOX):
        for item in store.pending(hop, -1, 100):
            assert item.body == bytes([int(item.message_id)]) * 150
            found[item.message_id] = item.key
    return found


def damaged(octets, number):
    # (octets, first and last position that was changed)
    octets = bytearray(octets)
    first = random.getrandbits(16) % len(octets)
    last = min(first + random.getrandbits(5), len(octets) - 1)
    kind = number % 4
    if kind == 0:
        last = first
        octets[first] ^= 1 << random.getrandbits(3)
    elif kind == 1:
        for position in range(first, last + 1):
            octets[position] = random.getrandbits(8)
    elif kind == 2:
        for position in range(first, last + 1):
            octets[position] = 0xFF
    else:
        last = len(octets) - 1
        octets = octets[:first]
    return octets, first, last


def test_damage_anywhere_costs_what_is_damaged():
    random.seed(3)
    place, entries = filled()
    whole = flash.files(place)
    names = sorted(whole)
    for number in range(300):
        name = names[random.getrandbits(8) % len(names)]
        octets, first, last = damaged(whole[name], number)
        flash.write(place, name, octets)
        store = FlashStore(place, **OPTIONS)
        found = served(store)
        for file, start, end, message_id in entries:
            if file != name or end <= first:
                # Those that stand before the damage count when the end of what was appended with them is there too.
                same = [entry for entry in entries if int(entry[3]) // 3 == int(message_id) // 3]
                if file != name or same[-1][2] <= first:
                    assert message_id in found, (number, name, first, last, message_id)
            elif start > last:
                assert message_id in found, (number, name, first, last, message_id)
        if len(found) < 24 and number % 4 != 3:
            # (Cut off where something was complete it looks as it did then.)
            assert store.counters["damaged"] or store.counters["torn"], number
        flash.write(place, name, whole[name])
    assert len(served(FlashStore(place, **OPTIONS))) == 24


def test_after_damage_keys_are_not_given_again_and_all_goes_on():
    random.seed(4)
    for number in range(12):
        place, entries = filled()
        highest = FlashStore(place, **OPTIONS).next_key
        for name, content in flash.files(place).items():
            flash.write(place, name, damaged(content, number)[0])
        store = FlashStore(place, **OPTIONS)
        before = served(store)
        key = store.put("", "ue-1", "MSG", "new", 0, b"new").key
        assert key >= highest or not store.counters["damaged"]
        assert key not in before.values()
        store.commit()
        store = FlashStore(place, **OPTIONS)
        assert [item.body for item in store.pending("", key - 1, 10)] == [b"new"]
        assert len(store) == len(before) + 1


def test_noise_and_foreign_files_are_left_alone():
    random.seed(5)
    place, entries = filled()
    noise = bytes([random.getrandbits(8) for _ in range(3000)])
    strangers = {"notes.txt": b"hello", "00000002.LOG.bak": b"", "zzzzzzzz.log": noise}
    for name, octets in strangers.items():
        flash.write(place, name, octets)
    flash.write(place, "000000f0.log", noise)
    flash.write(place, "000000f1.log", b"")
    store = FlashStore(place, **OPTIONS)
    assert len(served(store)) == 24
    assert store.counters["foreign"] == 3 and store.counters["damaged"] == 1 and store.counters["torn"] == 2
    store.put("", "ue-1", "MSG", "new", 0, b"new")
    store.commit()
    assert len(FlashStore(place, **OPTIONS)) == 25
    left = flash.files(place)
    assert all(left[name] == octets for name, octets in strangers.items())


def test_a_segment_of_another_store_is_left_alone():
    place, entries = filled()
    content = flash.files(place)
    other, _ = filled()
    flash.write(other, "00000001.log", content["00000001.log"])
    store = FlashStore(other, **OPTIONS)
    assert store.counters["foreign"] == 1 and len(store) == 24 - sum(e[0] == "00000001.log" for e in entries)
    assert "another store" in store.health


def test_what_rots_while_it_runs_is_told_and_the_rest_served():
    place, entries = filled()
    said = []
    store = FlashStore(place, on_error=said.append, **OPTIONS)
    name, start, end, message_id = entries[4]
    octets = bytearray(flash.files(place)[name])
    octets[end - 20] ^= 1
    flash.write(place, name, octets)
    assert len(served(store)) == 23 and message_id not in served(store)
    assert len(store) == 23 and store.counters["damaged"] == 1 and len(said) == 1


def test_an_entry_in_a_body_is_none():
    # A body that looks like a segment, and the entry it is in is damaged: what is in it does not count.
    other, _ = filled()
    inner = flash.files(other)["00000001.log"]
    place = flash.folder()
    store = FlashStore(place, **OPTIONS)
    store.put("", "ue-1", "MSG", "in", 0, inner)
    store.put("", "ue-1", "MSG", "7", 0, bytes([7]) * 150)
    store.commit()
    record = store._index.at(0)
    octets = bytearray(flash.files(place)["00000001.log"])
    octets[record[2] + 4] ^= 1
    flash.write(place, "00000001.log", octets)
    store = FlashStore(place, **OPTIONS)
    assert list(served(store)) == ["7"] and len(store) == store.counters["damaged"] == 1
