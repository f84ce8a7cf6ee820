# Power that fails at each write to the flash of a gateway on a board, and within it, while clients register, send and get
# messages: what was committed is there, and nothing of what was not. LittleFS on a block device in RAM.

import asyncio
import gc
from binascii import crc32

import flash
from gateway_world import AS, OTHER, UE, Setup, to_client
from msgin5g.store.gateway import GatewayStore

RUNTIMES = ("micropython",)

OPTIONS = {"most_octets": 8192, "most_messages": 12, "most_devices": 4, "most_known": 8}
ROUNDS = 4


def anything(one):
    return True


def contents(store):
    # hop, Message ID and body of each message and each registration.
    return {
        f"{item.hop} {item.message_id} {crc32(item.body)}" for item in store._items(0, 99, anything, anything)
    }


class Site(Setup):
    # A gateway on flash, of which each commit is noted: when it was over, and what was there then.
    def __init__(self, place, device):
        self.place = place
        self.device = device
        self.commits = []
        super().__init__()

    def start_gateway(self, **options):
        self.store = GatewayStore(self.place, **OPTIONS)
        self.commit, self.store.commit = self.store.commit, self.noted
        self.world.before_send.append(self.store.commit)
        super().start_gateway(**options)

    def noted(self):
        self.commit()
        if self.device.journal and len(self.device.journal) > self.commits[-1][0]:
            self.commits.append((len(self.device.journal), contents(self.store)))

    async def live(self):
        ue, other = self.client(), self.client(OTHER, "ue-2")
        for number in range(ROUNDS):
            await self.run(ue.register())
            await self.run(other.register())
            for at in range(2):
                sent = await ue.send(f"{number} {at}", application_server=AS)
                await self.run(sent.accepted())
            self.down(f"d-{number}", UE)
            assert (await self.run(ue.receive())).message_id == f"d-{number}"
            # What waits, here and there: for one that is not there, and for the server.
            await self.run(other.deregister())
            self.world.leave("ue-1")
            self.down(f"w-{number}", UE)
            self.world.join("ue-1", ue.endpoint)
            self.world.advance(3000)
            assert (await self.run(ue.receive())).message_id == f"w-{number}"

    def down(self, message_id, ue):
        self.server.post("gateway-up", to_client("x" * 60, message_id, ue=ue))
        self.world.settle()


def recorded(device):
    site = Site(flash.mount(device) + "/messages", device)
    image = bytes(device.data)
    device.journal = []
    site.commits = [(0, contents(site.store))]
    asyncio.run(site.live())
    assert site.store.counters["moved"] > 0 and site.gateway.counters["messages_down"] == 2 * ROUNDS
    flash.unmount()
    return image, device.journal, site.commits


def check(device, possible):
    store = GatewayStore(flash.mount(device, fresh=False) + "/messages", **OPTIONS)
    found = contents(store)
    assert found in possible, (sorted(found), [sorted(one) for one in possible])
    assert store.counters["damaged"] == 0 and store.health == ""
    assert len(store.registered()) == sum(one.startswith("in ") for one in found)
    flash.unmount()


def test_power_fails_at_each_write_of_a_gateway_and_within_it():
    device, scratch = flash.Device(256, 128), flash.Device(256, 128)
    image, journal, commits = recorded(device)
    assert len(journal) > 300 and len(commits) > 40, (len(journal), len(commits))
    device.data[:] = image
    over = 0
    for done, change in enumerate(journal):
        while over + 1 < len(commits) and commits[over + 1][0] <= done:
            over += 1
        possible = [commits[over][1], commits[min(over + 1, len(commits) - 1)][1]]
        for part in (0, len(change[1]) // 2, len(change[1]) - 1):
            scratch.data[:] = device.data
            scratch.play(change, part)
            check(scratch, possible)
        device.play(change)
        if done % 20 == 0:
            gc.collect()
