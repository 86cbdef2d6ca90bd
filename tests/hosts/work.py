"""A day of work across hosts: clients, bots and staff go on while faults come and go; their journal tells the truth."""

import asyncio
import time
from collections.abc import Sequence

from tests.cluster.comparison import compare, newest_event
from tests.cluster.journal import Journal
from tests.cluster.load import Load, Settings, working
from tests.cluster.postgres import OWNER
from tests.hosts.faults import Fault
from tests.hosts.site import SILENCE_SECONDS, Site, opened

DATABASE = "work"
HOLD_SECONDS = 2 * SILENCE_SECONDS  # of each fault: long enough to be noticed, and to be gone over
CALM_SECONDS = 3.0
SUBSCRIBERS = 4


async def play(site: Site, faults: Sequence[Fault], seed: int) -> list[str]:
    """Work on the desk while these faults befall it, one after the other. Return what went wrong, a line each."""
    with Journal(site.folder / "journal") as journal:
        async with opened(site, DATABASE, mode="SYSTEM") as desk:
            async with working(desk, journal, Settings(seed=seed, subscribers=SUBSCRIBERS)) as load:
                await load.one_of_each()
                working_on = asyncio.create_task(load.run())
                for fault in faults:
                    await _suffer(site, fault, load)
                load.stop()
                await working_on
                seconds = await load.settled()
                url = site.postgres.primary.url(OWNER, DATABASE)
                await load.all_events_came(await asyncio.to_thread(newest_event, url))
                wrong = [fault for one in load.subscribers for fault in one.faults]
            wrong += await site.shared(DATABASE)
            status, said = await site.command("verify")
        wrong += [str(finding) for finding in await asyncio.to_thread(compare, url, journal)]
    wrong += [] if status == 0 else [f"verify: {line}" for line in said.splitlines()]
    print(f"  {sum(load.verbs.values())} verbs: {journal.summary()}; behind with nothing after {seconds:.1f} s")
    return wrong


async def _suffer(site: Site, fault: Fault, load: Load) -> None:
    """Let the fault last for a while, and say how much was done meanwhile."""
    done, began = sum(load.verbs.values()), time.monotonic()
    print(f"  {fault.name}", flush=True)
    async with fault.cause(site):
        await asyncio.sleep(fault.hold_seconds or HOLD_SECONDS)
        done = sum(load.verbs.values()) - done
        print(f"    lasted {time.monotonic() - began:.1f} s; {done} verbs were done meanwhile", flush=True)
    await asyncio.sleep(CALM_SECONDS)
