# The store on flash: what all stores do, what outlives a restart, room and policies.

import os

import flash
from msgin5g.delivery import HIGH, LOW, MIDDLE
from msgin5g.store import INBOX, Full
from msgin5g.store.flash import DROP_LOWEST, DROP_OLDEST, FlashStore


class Setup:
    def __init__(self, **options):
        self.folder = flash.folder()
        # A small one, so that it drops and moves segments all the time.
        self.options = {"most_octets": 16384, "most_known": 16}
        self.options.update(options)
        self.reopen()

    def reopen(self):
        self.store = FlashStore(self.folder, **self.options)
        return self.store

    def put(self, message_id="m-1", hop="", originator="o", kind="MSG", segment=0, body=b"{}", **options):
        return self.store.put(hop, originator, kind, message_id, segment, body, **options)

    def ids(self, hop="", after=-1, most=100, priority=None):
        return [item.message_id for item in self.store.pending(hop, after, most, priority)]


def refused(action):
    try:
        action()
    except Full:
        return True
    return False


def test_what_all_stores_do_before_and_after_a_commit_and_a_restart():
    for step in ("new", "committed", "opened"):
        setup = Setup()
        for number in range(6):
            hop = ("", "gateway-2")[number & 1]
            setup.put(str(number), hop, priority=(LOW, HIGH, MIDDLE)[number % 3], expires=number or None)
        if step != "new":
            setup.store.commit()
        store = setup.reopen() if step == "opened" else setup.store
        assert len(store) == 6
        assert setup.ids() == ["0", "2", "4"] and setup.ids("gateway-2") == ["1", "3", "5"], step
        first = store.pending("", -1, 1)[0]
        assert setup.ids("", first.key) == ["2", "4"] and setup.ids("", first.key, 1) == ["2"]
        assert setup.ids("", -1, 9, HIGH) == ["4"] and not setup.ids("else")
        assert [item.message_id for item in store.expired(3, 10)] == ["1", "2", "3"]
        assert [item.message_id for item in store.expired(3, 1)] == ["1"] and not store.expired(0, 10)
        assert store.knows("", "o", "MSG", "4", 0) and not store.knows("", "o", "MSG", "4", 1)
        assert setup.put("4") is None
        store.remove(first)
        store.remove(first)
        assert len(store) == 5 and setup.ids() == ["2", "4"]
        assert setup.put("0") is None


def test_an_item_comes_back_as_it_was():
    setup = Setup()
    body = bytes(range(256)) * 5
    setup.put("ümläut", "höp", "ue-ö", "IMDN", 7, body, expires=2**31 + 5, report=True, priority=HIGH)
    setup.put("plain", "höp", body=b"")
    setup.store.commit()
    for _ in range(2):
        one, two = setup.store.pending("höp", -1, 10)
        assert (one.hop, one.originator, one.kind, one.message_id) == ("höp", "ue-ö", "IMDN", "ümläut")
        assert (one.segment, one.expires, one.report, one.priority) == (7, 2**31 + 5, True, HIGH)
        assert one.body == body and two.body == b""
        assert (two.segment, two.expires, two.report, two.priority) == (0, None, False, MIDDLE)
        assert two.key > one.key
        setup.reopen()


def test_what_was_not_committed_is_gone_and_not_known():
    setup = Setup()
    setup.put("1")
    setup.store.commit()
    setup.put("2")
    setup.store.remove(setup.store.pending("", -1, 1)[0])
    setup.reopen()
    assert setup.ids() == ["1"]
    assert setup.put("2")


def test_duplicates_are_known_after_a_restart_the_last_ones():
    setup = Setup(most_known=16)
    for number in range(50):
        setup.store.remove(setup.put(str(number), INBOX))
        setup.store.remove(setup.put(str(number), ""))
        setup.store.commit()
    for _ in range(3):
        store = setup.reopen()
        assert [n for n in range(50) if store.knows(INBOX, "o", "MSG", str(n), 0)] == list(range(34, 50))
        assert [n for n in range(50) if store.knows("", "o", "MSG", str(n), 0)] == list(range(46, 50))
        # What goes out does not push out what came in.
        assert setup.put("49", INBOX) is None


def test_a_stored_item_is_known_however_many_came_after():
    setup = Setup(most_known=4)
    setup.put("stays", INBOX)
    for number in range(30):
        setup.store.remove(setup.put(str(number), INBOX))
        setup.store.commit()
    assert setup.put("stays", INBOX) is None
    setup.reopen()
    assert setup.put("stays", INBOX) is None


def test_keys_grow_and_are_never_given_again_nor_does_the_birth_change():
    setup = Setup()
    birth = setup.store.birth
    last = -1
    for number in range(120):
        item = setup.put(str(number))
        assert item.key > last
        last = item.key
        setup.store.commit()
        setup.store.remove(item)
        setup.store.commit()
        if number % 7 == 0:
            setup.reopen()
            assert setup.store.birth == birth
    assert len(birth) == 3 and Setup().store.birth != birth


def test_moving_keeps_what_lives_and_the_log_stays_short():
    setup = Setup(most_items=8)
    setup.put("old", body=b"o" * 300)
    setup.put("older", INBOX, body=b"i" * 300)
    setup.store.commit()
    for number in range(400):
        item = setup.put(str(number), body=b"x" * (number % 200))
        setup.store.commit()
        setup.store.remove(item)
        setup.store.commit()
        octets = sum(len(content) for content in flash.files(setup.folder).values())
        assert octets <= 16384
        if number % 50 == 7:
            setup.reopen()
            assert setup.store.counters["damaged"] == setup.store.counters["torn"] == 0
    assert setup.store.counters["moved"] > 0
    assert setup.ids() == ["old"] and setup.store.pending("", -1, 1)[0].body == b"o" * 300
    assert setup.ids(INBOX) == ["older"] and setup.store.pending(INBOX, -1, 1)[0].body == b"i" * 300


def test_dead_segments_are_dropped():
    setup = Setup()
    for number in range(30):
        setup.put(str(number), body=b"x" * 100)
        setup.store.commit()
    assert len(os.listdir(setup.folder)) > 1
    for item in setup.store.pending("", -1, 100):
        setup.store.remove(item)
    setup.store.commit()
    assert len(os.listdir(setup.folder)) == 1


def test_inbox_and_outbox_do_not_fill_each_other():
    setup = Setup(most_items=3, most_inbox=2)
    for number in range(3):
        setup.put(str(number))
    assert refused(lambda: setup.put("more"))
    setup.put("1", INBOX)
    setup.put("2", INBOX)
    assert refused(lambda: setup.put("more", INBOX))
    setup.store.remove(setup.store.pending("", -1, 1)[0])
    assert setup.put("more") and refused(lambda: setup.put("still", INBOX))
    assert setup.store.counters["refused"] == 3
    setup.store.commit()
    setup.reopen()
    assert len(setup.store) == 5 and refused(lambda: setup.put("again"))


def test_octets_are_bounded_for_each_too():
    setup = Setup()
    for hop in ("", INBOX):
        assert refused(lambda hop=hop: setup.put("huge", hop, body=bytes(5000)))
        setup.put("large", hop, body=bytes(3000))
        assert refused(lambda hop=hop: setup.put("more", hop, body=bytes(1200)))
        assert setup.put("small", hop, body=bytes(900))
    setup.store.commit()
    setup.reopen()
    assert refused(lambda: setup.put("more", body=bytes(1200)))
    # A body longer than a segment is as good as another.
    assert [len(item.body) for item in setup.store.pending("", -1, 9)] == [3000, 900]


def test_drop_lowest():
    setup = Setup(most_items=4, when_full=DROP_LOWEST)
    dropped = []
    setup.store.on_dropped = lambda item: dropped.append((item.message_id, item.body))
    for number, priority in enumerate((HIGH, LOW, MIDDLE, LOW)):
        setup.put(str(number), priority=priority, body=str(number).encode())
        if number == 1:
            setup.store.commit()
    setup.put("in", INBOX, priority=LOW)
    for number in range(4, 7):
        setup.put(str(number), priority=MIDDLE)
    assert dropped == [("1", b"1"), ("3", b"3"), ("2", b"2")]
    # Never one of a higher priority than the new one has.
    assert refused(lambda: setup.put("low", priority=LOW))
    assert setup.ids() == ["0", "4", "5", "6"] and setup.ids(INBOX) == ["in"]
    assert setup.store.counters["dropped"] == 3 and setup.store.counters["refused"] == 1
    setup.store.commit()
    setup.reopen()
    assert setup.ids() == ["0", "4", "5", "6"] and setup.put("3") is None


def test_drop_oldest_but_not_what_is_under_way():
    setup = Setup(most_items=3, when_full=DROP_OLDEST)
    setup.store.may_drop = lambda item: item.message_id != "0"
    for number in range(6):
        setup.put(str(number), priority=HIGH)
        setup.store.commit()
    assert setup.ids() == ["0", "4", "5"]
    setup.store.may_drop = lambda item: False
    assert refused(lambda: setup.put("6"))
    assert setup.ids() == ["0", "4", "5"]


def test_as_many_are_dropped_as_it_takes_or_none():
    setup = Setup(when_full=DROP_OLDEST)
    for number in range(4):
        setup.put(str(number), body=bytes(900))
    assert refused(lambda: setup.put("huge", body=bytes(4200))) and len(setup.store) == 4
    setup.put("large", body=bytes(2000))
    assert setup.ids() == ["2", "3", "large"] or setup.ids() == ["3", "large"]


def test_put_and_remove_in_one_commit_are_known_and_leave_nothing():
    setup = Setup()
    item = setup.put("1", INBOX)
    setup.store.remove(item)
    setup.store.commit()
    setup.reopen()
    assert not len(setup.store) and setup.put("1", INBOX) is None
    assert setup.put("2").key > item.key


def test_withdrawn_is_as_if_it_had_never_come():
    setup = Setup()
    setup.store.withdraw(setup.put("1", INBOX))
    assert not len(setup.store) and not setup.store.knows(INBOX, "o", "MSG", "1", 0)
    setup.store.commit()
    setup.reopen()
    assert setup.put("1", INBOX)


def test_a_body_of_what_is_gone_is_an_error_that_says_so():
    setup = Setup()
    item = setup.put("1")
    setup.store.commit()
    assert item.body == b"{}"
    setup.store.remove(item)
    setup.store.commit()
    try:
        len(item.body)
        raise AssertionError("no error")
    except OSError as error:
        assert error.errno == 2


def test_an_empty_commit_writes_nothing():
    setup = Setup()
    setup.store.commit()
    assert os.listdir(setup.folder) == []
    setup.put("1")
    setup.store.commit()
    before = flash.files(setup.folder)
    setup.store.commit()
    setup.reopen().commit()
    assert flash.files(setup.folder) == before


def test_more_hops_than_at_once_and_names_too_long():
    setup = Setup(most_items=4)
    for number in range(300):
        item = setup.put("m", f"hop-{number}")
        setup.store.commit()
        assert [one.key for one in setup.store.pending(f"hop-{number}", -1, 9)] == [item.key]
        setup.store.remove(item)
    assert refused(lambda: setup.put("m", "h" * 256)) and setup.put("m", "h" * 255)
    setup.store.commit()
    setup.reopen()
    assert setup.ids("h" * 255) == ["m"]


def test_too_small_a_log_is_said_at_once():
    try:
        FlashStore(flash.folder(), most_octets=8192)
        raise AssertionError("no error")
    except ValueError as error:
        assert "most_octets" in str(error)


def test_a_folder_that_cannot_be_used_is_said_at_once():
    place = flash.folder()
    for path in (place + "/deep/er", place):
        if path == place:
            with open(place, "wb") as file:
                file.write(b"a file")
        try:
            FlashStore(path)
            raise AssertionError(path)
        except OSError:
            pass


def test_on_fat():
    if not flash.MICROPYTHON:
        return
    setup = Setup()
    setup.folder = flash.folder("VfsFat")
    setup.reopen()
    for number in range(60):
        setup.put(str(number), INBOX if number & 1 else "", body=b"x" * 150)
        setup.store.commit()
        for item in setup.store.pending("", -1, 100)[:-3] + setup.store.pending(INBOX, -1, 100)[:-3]:
            setup.store.remove(item)
        setup.store.commit()
        if number % 9 == 0:
            setup.reopen()
    assert setup.ids() == ["54", "56", "58"] and setup.ids(INBOX) == ["55", "57", "59"]
    assert not setup.store.counters["damaged"] and not setup.store.counters["torn"]
