# The host's files, cut at each octet written: what a file system may leave that keeps the order of what was written.
# Also writes that are done in part, and errors of each call.

import sys

import flash
from msgin5g.store import INBOX, Broken, durable, log, opening
from msgin5g.store.flash import FlashStore

RUNTIMES = ("cpython",)

OPTIONS = {"most_octets": 6144, "most_known": 8, "most_items": 10, "most_inbox": 4}


class File:
    # Of a file in memory; what is written goes to the folder's journal.
    def __init__(self, files, name, mode):
        self.files = files
        self.name = name
        if "r" in mode:
            files.call("open")
            if name not in files.content:
                raise OSError(2, name)
        else:
            files.call("open")
            files.change(name, b"")
        self.at = 0

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.close()

    def close(self):
        pass

    def fileno(self):
        return 0

    def flush(self):
        self.files.call("flush")

    def seek(self, offset, whence=0):
        self.at = offset + (0, self.at, len(self.files.content[self.name]))[whence]
        return self.at

    def read(self, size=-1):
        self.files.call("read")
        content = self.files.content[self.name]
        octets = bytes(content[self.at : len(content) if size < 0 else self.at + size])
        self.at += len(octets)
        return octets

    def readinto(self, buffer):
        octets = self.read(len(buffer))
        buffer[: len(octets)] = octets
        return len(octets)

    def write(self, octets):
        files = self.files
        files.call("write")
        length = len(octets)
        if files.octets is not None:
            length = min(length, files.octets)
            files.octets -= length
        files.change(self.name, bytes(octets[:length]))
        return length


class Files:
    # Stands in for os and open() of the log: a folder in memory.
    def __init__(self):
        self.content = {}
        # (name, octets written to it, None when it was removed)
        self.journal = []
        # So many octets can be written, None: any number.
        self.octets = None
        # So many calls succeed, None: all.
        self.calls = None

    def call(self, name):
        if self.calls is not None:
            self.calls -= 1
            if self.calls < 0:
                raise OSError(5, f"{name} failed")

    def change(self, name, octets):
        if octets is None:
            if name not in self.content:
                raise OSError(2, name)
            del self.content[name]
        else:
            self.content[name] = self.content.get(name, b"") + octets
        self.journal.append((name, octets))

    def open(self, path, mode=0):
        return File(self, path.rpartition("/")[2], mode) if mode else 1

    def close(self, descriptor):
        pass

    def fsync(self, descriptor):
        self.call("fsync")

    def mkdir(self, path):
        raise OSError(17, path)

    def listdir(self, path):
        return list(self.content)

    def urandom(self, count):
        return bytes(range(count))

    def stat(self, path):
        self.call("stat")
        return [0] * 6 + [len(self.content[path.rpartition("/")[2]])]

    def remove(self, path):
        self.call("remove")
        self.change(path.rpartition("/")[2], None)

    def __enter__(self):
        self.saved = log.os, log.forget
        # This one, and not one that is loaded anew with the real files.
        sys.modules["msgin5g.store.opening"] = opening
        log.forget = lambda name: None
        for module in (log, opening, durable):
            module.os = self
            module.open = self.open
        return self

    def __exit__(self, *error):
        log.forget = self.saved[1]
        for module in (log, opening, durable):
            module.os = self.saved[0]
            del module.open


def run(store, states, count=40):
    # Puts, moves and removes; notes what holds before and after each commit.
    stored = {}
    for number in range(count):
        hop = INBOX if number % 3 == 1 else ("long" if number % 13 == 0 else "")
        store.put(hop, "ue-1", "MSG", str(number), 0, bytes([number]) * 90)
        stored[str(number)] = hop
        if number % 4 != 2:
            states.append(dict(stored))
            store.commit()
            states.append(dict(stored))
        if number % 2:
            for hop in ("", INBOX):
                for item in store.pending(hop, -1, 2):
                    store.remove(item)
                    del stored[item.message_id]
            states.append(dict(stored))
            store.commit()
            states.append(dict(stored))
    return stored


def found(store):
    items = [item for hop in ("", INBOX, "long") for item in store.pending(hop, -1, 100)]
    assert all(item.body == bytes([int(item.message_id)]) * 90 for item in items)
    return {item.message_id: item.hop for item in items}


def opened(files):
    files.octets = files.calls = None
    store = FlashStore("outbox", **OPTIONS)
    assert store.counters["damaged"] == 0 and store.health == ""
    return store


class States(list):
    # What held before each commit and after it, and how long the journal was then.
    def __init__(self, files):
        super().__init__([{}, {}])
        self.files = files
        self.at = [0, 0]

    def append(self, state):
        super().append(state)
        self.at.append(len(self.files.journal))


def test_cut_at_each_octet():
    with Files() as files:
        store = FlashStore("outbox", **OPTIONS)
        states = States(files)
        run(store, states)
        assert store.counters["moved"] > 0
    cuts = 0
    with Files() as after:
        for done, (name, octets) in enumerate(files.journal):
            # The last commit that was over by then, and the one on its way.
            last = max(position for position in range(1, len(states), 2) if states.at[position] <= done)
            possible = (states[last], states[min(last + 1, len(states) - 1)])
            content = dict(after.content)
            for length in range(len(octets or b"") or 1):
                after.content = dict(content)
                if octets:
                    after.change(name, octets[:length])
                store = opened(after)
                assert found(store) in possible, (done, length)
                incoming = [key for key, hop in states[last].items() if hop == INBOX]
                assert all(store.knows(INBOX, "ue-1", "MSG", key, 0) for key in incoming)
                if cuts % 7 == 0:
                    store.put("", "ue-1", "MSG", "99", 0, bytes([99]) * 90)
                    store.commit()
                    assert found(opened(after)) == found(store)
                cuts += 1
            after.content = content
            after.change(name, octets)
    assert cuts > 5000


def test_writes_that_are_done_in_part_are_said():
    for octets in range(0, 5000, 61):
        with Files() as files:
            files.octets = octets
            store = FlashStore("outbox", **OPTIONS)
            states = States(files)
            try:
                run(store, states)
                raise AssertionError("written")
            except Broken:
                assert "in part" in store.health
            files.octets = None
            store.commit()
            assert store.health == "" and found(store) == found(opened(files)) == states[-1]


def test_an_error_of_any_call_is_said_and_what_was_put_is_committed_after_it():
    failed = 0
    for calls in range(1400):
        with Files() as files:
            store = FlashStore("outbox", **OPTIONS)
            files.calls = calls
            states = States(files)
            try:
                run(store, states)
            except Broken:
                assert store.health and store.counters["failed"] == 1
                failed += 1
                files.calls = None
                store.commit()
                assert store.health == ""
                assert found(store) == states[-1], calls
            files.calls = None
            assert found(opened(files)) in states[-2:]
    assert failed > 300


def test_opening_survives_an_error_of_any_call():
    with Files() as files:
        run(FlashStore("outbox", **OPTIONS), [])
        for calls in range(60):
            files.calls = calls
            store = FlashStore("outbox", **OPTIONS)
            files.calls = None
            found(store)
        assert store.health == "" or store.counters["damaged"]


def test_a_segment_that_cannot_be_removed_keeps_its_place():
    with Files() as files:
        store = FlashStore("outbox", **OPTIONS)
        remove, files.remove = files.remove, None

        def refuse(path):
            raise OSError(13, path)

        files.remove = refuse
        stored = run(store, [])
        assert "can't be removed" in store.health
        assert found(store) == stored == found(FlashStore("outbox", **OPTIONS))
        before = len(files.content)
        files.remove = remove
        store.put("", "ue-1", "MSG", "99", 0, bytes([99]) * 90)
        store.commit()
        assert len(files.content) < before and found(store) == found(opened(files))


def test_the_support_of_these_tests_counts_as_a_file_system():
    with Files() as files:
        store = FlashStore("outbox", **OPTIONS)
        run(store, [])
        place = flash.folder()
    real = FlashStore(place, **OPTIONS)
    run(real, [])
    assert sorted(flash.files(place)) == sorted(files.content)
    assert [len(content) for content in flash.files(place).values()]
