"""One run of the campaign."""

import asyncio
import random
import time
from collections import Counter
from dataclasses import dataclass, field

from tests.faults import verdict
from tests.faults.faults import Faults
from tests.faults.site import Site
from tests.faults.traffic import Ledger, Traffic

# Seconds for which applications send and faults happen, and that all may take to settle when they are over.
SECONDS = 5.0
PATIENCE = 120.0


@dataclass
class Result:
    """What came of a run.

    Attributes:
        seed: that repeats it.
        seconds: that it took.
        settling: seconds of it until everything had its end after the last fault.
        sent: messages by direction.
        faults: by kind.
        datagrams: what the middle boxes did.
        outcomes: of the messages.
        wrong: what is wrong with it, a line each.
    """

    seed: int
    seconds: float = 0
    settling: float = 0
    sent: Counter = field(default_factory=Counter)
    faults: Counter = field(default_factory=Counter)
    datagrams: Counter = field(default_factory=Counter)
    outcomes: Counter = field(default_factory=Counter)
    wrong: list = field(default_factory=list)


async def run(seed, directory, library, seconds=SECONDS):
    """A run, in a folder that is there; returns its result."""
    chance = random.Random(seed)
    begin = time.monotonic()
    result = Result(seed)
    ledger = Ledger()
    site = Site(directory, library, chance, ledger)
    try:
        await _play(site, ledger, chance, result, seconds)
    except* Exception as errors:
        result.wrong += [f"{type(error).__name__}: {error}" for error in _leaves(errors)]
    finally:
        await site.stop()
    result.seconds = time.monotonic() - begin
    return result


def _leaves(errors):
    for error in errors.exceptions:
        if isinstance(error, ExceptionGroup):
            yield from _leaves(error)
        else:
            yield error


async def _play(site, ledger, chance, result, seconds):
    await site.start()
    traffic = Traffic(site, ledger, chance, seconds)
    faults = Faults(site, ledger, chance, seconds)
    (site.directory / "plan.txt").write_text("".join(f"{fault}\n" for fault in faults.plan))
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(faults.run())
        for sender in traffic.tasks():
            tasks.create_task(sender)
    faults.calm()
    calm = time.monotonic()
    await _settled(site, ledger)
    result.settling = time.monotonic() - calm
    result.sent, result.faults = traffic.sent, faults.done
    for hop in (site.access, site.uplink):
        result.datagrams.update(lost=hop.lost, doubled=hop.duplicated, relayed=hop.relayed)
    result.outcomes, wrong = verdict.judge(site, ledger)
    result.wrong = verdict.broken(site) + wrong
    if not result.wrong:
        for daemon in site.daemons():
            if await daemon.end():
                result.wrong.append(f"{daemon.service_id} did not end well")
    result.wrong += verdict.left_behind(site, ledger)


async def _settled(site, ledger):
    # Until every promise has its end and nobody holds anything; or not, and then the verdict says what. What it waits
    # for is in a file.
    begin, trace = time.monotonic(), site.directory / "settling.txt"
    for ue in site.boards:
        # What it does every half an hour: if its NAT has forgotten it, it is found again.
        site.hosts[ue].tell("register")
    try:
        async with asyncio.timeout(PATIENCE):
            while still := verdict.open_promises(ledger) or _busy(site, ledger):
                if verdict.broken(site):
                    return
                with trace.open("a") as file:
                    print(f"{time.monotonic() - begin:.1f} s: {len(still)} open, {still[:3]}", file=file)
                await asyncio.sleep(0.5)
    except TimeoutError:
        pass


def _busy(site, ledger):
    for ue in site.units:
        site.hosts[ue].tell("look", ue=ue)
    missing = [ue for ue in site.units if ue not in ledger.looks]
    return missing or verdict.left_behind(site, ledger)
