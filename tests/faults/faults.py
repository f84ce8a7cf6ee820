"""What goes wrong in a run: a plan made from the seed, and how each is done to real processes."""

import asyncio
import contextlib
import resource
from collections import Counter
from dataclasses import dataclass

# Of the datagrams on a hop, by a share that the seed says: the most of 100 that are lost and that come twice, and by
# how many seconds they overtake each other.
LOSS = 30
DUPLICATION = 20
JITTER = 0.06


@dataclass
class Fault:
    """One fault.

    Attributes:
        at: seconds after the first message.
        kind: a key of KINDS.
        victim: whom it befalls: a number, of those that it can befall.
        share: how bad it is, 0 to 1.
    """

    at: float
    kind: str
    victim: int
    share: float


def plan(random, seconds):
    """The faults of a run, in their order."""
    faults = [
        Fault(random.uniform(0.3, seconds), kind, random.getrandbits(16), random.random())
        for kind, (least, most, _) in KINDS.items()
        for _ in range(random.randint(least, most))
    ]
    return sorted(faults, key=lambda fault: fault.at)


class Faults:
    """Does to a site what is planned."""

    def __init__(self, site, ledger, random, seconds):
        self._site = site
        self._ledger = ledger
        self.plan = plan(random, seconds)
        self.done = Counter()
        self._hops = (site.access, site.uplink)
        for hop in self._hops:
            hop.loss = random.random() * LOSS
            hop.duplication = random.random() * DUPLICATION
            hop.jitter = random.random() * JITTER
        self._loss = {hop: hop.loss for hop in self._hops}

    async def run(self):
        """All of them; returns when the last one is over."""
        start = asyncio.get_running_loop().time()
        async with asyncio.TaskGroup() as tasks:
            for fault in self.plan:
                await asyncio.sleep(start + fault.at - asyncio.get_running_loop().time())
                tasks.create_task(self._do(fault))

    async def _do(self, fault):
        _, _, do = KINDS[fault.kind]
        if await do(self, fault) is not False:
            self.done[fault.kind] += 1

    def calm(self):
        """Nothing goes wrong any more."""
        for hop in self._hops:
            hop.loss = hop.duplication = hop.jitter = 0
        for one in (*self._site.daemons(), *self._fleets()):
            one.surroundings.jump(0)
            one.surroundings.fill(False)

    def _fleets(self):
        return [host for host in self._site.processes() if hasattr(host, "surroundings")]

    def _boards(self):
        return [host for host in self._site.processes() if not hasattr(host, "surroundings")]

    # -- each of them

    async def kill_gateway(self, fault):
        await self._kill_daemon(self._site.gateway, fault)

    async def kill_server(self, fault):
        await self._kill_daemon(self._site.server, fault)

    @staticmethod
    async def _kill_daemon(daemon, fault):
        async with daemon.at_work:
            await daemon.kill()
            await asyncio.sleep(fault.share)
            await daemon.start()

    async def kill_clients(self, fault):
        await self._kill_host(self._fleets(), fault)

    async def kill_board(self, fault):
        await self._kill_host(self._boards(), fault)

    async def _kill_host(self, hosts, fault):
        host = hosts[fault.victim % len(hosts)]
        async with host.at_work:
            await host.kill()
            self._ledger.on_killed([ue for ue, its in self._site.hosts.items() if its is host])
            await asyncio.sleep(fault.share * 0.6)
            await host.up()

    async def rebind_clients(self, fault):
        self._site.access.rebind(1 + int(fault.share * 25))

    async def rebind_gateway(self, fault):
        self._site.uplink.rebind(1)

    async def uplink_outage(self, fault):
        await self._outage(self._site.uplink, fault)

    async def access_outage(self, fault):
        await self._outage(self._site.access, fault)

    async def _outage(self, hop, fault):
        hop.loss = 100
        await asyncio.sleep(0.3 + fault.share * 2.5)
        hop.loss = self._loss[hop]

    async def full_disk_gateway(self, fault):
        return await self._full_disk(self._site.gateway, fault)

    async def full_disk_server(self, fault):
        return await self._full_disk(self._site.server, fault)

    @staticmethod
    async def _full_disk(daemon, fault):
        # Its log of transactions can't grow any more, nor can any file: the process ends without having acknowledged
        # anything, and whoever keeps it running starts it again, in vain until there is room.
        async with daemon.at_work:
            log = daemon.database.with_name(daemon.database.name + "-wal")
            _room(daemon.pid, log.stat().st_size if log.exists() else 0)
            await asyncio.sleep(0.2 + fault.share)
            _room(daemon.pid, resource.RLIM_INFINITY)
            if daemon.running:
                # Nothing had to be stored.
                return False
            assert "nothing can be stored" in daemon.errors()
            await daemon.ended()
            await daemon.start()
        return True

    async def nearly_full_disk(self, fault):
        # There is less space than its reserve: it takes nothing new, and goes on.
        surroundings = self._site.daemons()[fault.victim & 1].surroundings
        surroundings.fill(True)
        await asyncio.sleep(1 + fault.share * 2)
        surroundings.fill(False)

    async def full_disk_clients(self, fault):
        fleets = self._fleets()
        fleet = fleets[fault.victim % len(fleets)]
        async with fleet.at_work:
            _room(fleet.pid, 0)
            await asyncio.sleep(0.1 + fault.share)
            _room(fleet.pid, resource.RLIM_INFINITY)

    async def clock_jump(self, fault):
        # An hour at most, to and fro: what has no expiration time is held for a day.
        those = [*self._site.daemons(), *self._fleets()]
        those[fault.victim % len(those)].surroundings.jump((fault.share - 0.5) * 7200)


def _room(pid, octets):
    """From now on no file of a process grows beyond so many octets."""
    with contextlib.suppress(ProcessLookupError):
        _, most = resource.prlimit(pid, resource.RLIMIT_FSIZE)
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (octets, most))


# kind -> how often in a run, at least and at most, and how
KINDS = {
    "SIGKILL of the gateway": (1, 3, Faults.kill_gateway),
    "SIGKILL of the server": (1, 3, Faults.kill_server),
    "SIGKILL of ten clients": (1, 5, Faults.kill_clients),
    "SIGKILL of a MicroPython board": (1, 3, Faults.kill_board),
    "disk full at the gateway": (0, 1, Faults.full_disk_gateway),
    "disk full at the server": (0, 1, Faults.full_disk_server),
    "disk nearly full at gateway or server": (0, 2, Faults.nearly_full_disk),
    "disk full at ten clients": (0, 1, Faults.full_disk_clients),
    "uplink outage": (0, 2, Faults.uplink_outage),
    "outage of the clients' network": (0, 1, Faults.access_outage),
    "clients at new addresses": (1, 4, Faults.rebind_clients),
    "gateway at a new address": (0, 2, Faults.rebind_gateway),
    "clock jump": (0, 3, Faults.clock_jump),
}
