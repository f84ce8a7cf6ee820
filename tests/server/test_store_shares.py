"""The store as a gateway uses it: a message found by what it goes by, and how much each UE has."""

import pytest
from gateway_world import AS, Setup
from msgin5g import stored_message, wire
from msgin5g.gateway_share import Shares
from msgin5g.store import Full

from host_tools.store import SqliteStore


@pytest.fixture
def store(tmp_path):
    store = SqliteStore(tmp_path / "gateway.sqlite")
    yield store
    store.close()


def put(store, hop, originator, message_id, segment=0):
    return store.put(hop, originator, wire.MSG, message_id, segment, b"{}")


def test_a_message_is_found_by_what_it_goes_by(store):
    put(store, "", "ue-1", "m-1")
    put(store, "", "ue-1", "m-2", 1)
    put(store, "ue-1", "ue-2", "m-3")
    found = store.find_message("", "ue-1", wire.MSG, "m-1")
    assert found is not None and found.message_id == "m-1"
    # Another's, a segment, on another way, of another kind.
    for where in (("", "ue-2", wire.MSG, "m-1"), ("", "ue-1", wire.MSG, "m-2")):
        assert store.find_message(*where) is None
    assert store.find_message("", "ue-2", wire.MSG, "m-3") is None
    assert store.find_message("", "ue-1", wire.IMDN, "m-1") is None


def test_how_much_each_has_is_known_after_a_restart(store):
    for number in range(3):
        put(store, "", "ue-1", f"m-{number}")
        put(store, "ue-1", f"as-{number}", "m")
    put(store, "", "ue-2", "m")
    counters = {}
    shares = Shares(store, 3, counters)
    for hop, originator in (("", "ue-1"), ("ue-1", "as-9")):
        with pytest.raises(Full):
            put(shares, hop, originator, "new")
    # One that is here already is known, and a place is free when one has gone.
    assert put(shares, "", "ue-1", "m-0") is None
    assert put(shares, "", "ue-2", "new")
    shares.remove(store.pending("", -1, 1)[0])
    assert put(shares, "", "ue-1", "new")
    assert counters["over_share"] == 2


async def test_what_waits_for_the_server_is_updated_in_the_store_of_a_host(store):
    class OnDisk(Setup):
        def start_gateway(self, **options):
            self.store = store
            super().start_gateway(**options)

    setup = OnDisk()
    ue = setup.client()
    await setup.run(ue.register())
    # Then the gateway leaves it alone for a while.
    setup.server.answers = [(wire.UNAVAILABLE, {})]
    sent = await ue.send("one", application_server=AS, report=False)
    assert await setup.run(sent.accepted())
    until = setup.world.wall_clock() + 1200
    await setup.run(stored_message.update(ue, sent, until))
    (item,) = store.pending("", -1, 10)
    assert (item.message_id, item.expires) == (sent.message_id, until)
    assert setup.gateway and setup.gateway.counters["updated"] == 1
