"""What befalls the hosts: one function for each, which lasts as long as its context."""

import asyncio
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass

from tests.hosts.network import Host
from tests.hosts.site import Site

DELAY_MS, LOSS_PERCENT = 50, 2.0
Cause = Callable[[Site], AbstractAsyncContextManager[None]]


@dataclass(frozen=True, slots=True)
class Fault:
    """A row of the schedule."""

    name: str
    cause: Cause
    in_short: bool  # part of the short form, too
    hold_seconds: float = 0.0  # for so long at least; 0: as long as the work needs to go on despite it


@asynccontextmanager
async def _silent_cut(site: Site, one: Host, other: Host, *, both_ways: bool = True) -> AsyncIterator[None]:
    site.network.cut(one, other, both_ways=both_ways)
    try:
        yield
    finally:
        site.network.mend()


def api_loses_the_database(site: Site) -> AbstractAsyncContextManager[None]:
    """Nothing passes between an API host and the database any more, and nothing says so."""
    return _silent_cut(site, site["api1"], _primary(site))


def worker_loses_the_database(site: Site) -> AbstractAsyncContextManager[None]:
    """The same for a worker's host, in the middle of its statements."""
    return _silent_cut(site, site["worker1"], _primary(site))


def answers_are_lost(site: Site) -> AbstractAsyncContextManager[None]:
    """What clients ask of one API host arrives, and its answers do not: was it done or not?"""
    return _silent_cut(site, site["api1"], site["clients"], both_ways=False)


def database_answers_are_lost(site: Site) -> AbstractAsyncContextManager[None]:
    """The statements of an API host arrive at the database, commits too, and the answers do not."""
    return _silent_cut(site, _primary(site), site["api2"], both_ways=False)


def standby_is_cut_off(site: Site) -> AbstractAsyncContextManager[None]:
    """The synchronous standby hears nothing: commits wait until it is back."""
    return _silent_cut(site, _primary(site), _secondary(site))


@asynccontextmanager
async def cable_of_a_worker_is_pulled(site: Site) -> AsyncIterator[None]:
    """A worker's host sees that it has no link; the others see nothing."""
    site.network.unplug(site["worker2"])
    try:
        yield
    finally:
        site.network.plug(site["worker2"])


@asynccontextmanager
async def database_is_far_away(site: Site) -> AsyncIterator[None]:
    """Each round trip to the database takes 50 ms more, and 2 % of what is sent gets lost."""
    host = _primary(site)
    how = site.network.degrade(host, delay_ms=DELAY_MS, loss_percent=LOSS_PERCENT, seed=1)
    print(f"    {DELAY_MS} ms and {LOSS_PERCENT:g} % loss by {how}")
    try:
        yield
    finally:
        site.network.restore(host)


@asynccontextmanager
async def clients_are_far_away(site: Site) -> AsyncIterator[None]:
    """The same between the clients and everything."""
    site.network.degrade(site["clients"], delay_ms=DELAY_MS, loss_percent=LOSS_PERCENT, seed=2)
    try:
        yield
    finally:
        site.network.restore(site["clients"])


@asynccontextmanager
async def worker_is_refused(site: Site) -> AsyncIterator[None]:
    """The database's host answers a worker's host with resets."""
    host = _primary(site)
    site.network.refuse(host, site["worker1"])
    try:
        yield
    finally:
        site.network.accept(host)


def api_has_no_power(site: Site) -> AbstractAsyncContextManager[None]:
    """Kill an API host and its clients' connections at once, and start it again later."""
    return _without_power(site, site["api2"])


def worker_has_no_power(site: Site) -> AbstractAsyncContextManager[None]:
    """A worker's host is gone in an instant, with what it owned; later it starts anew."""
    return _without_power(site, site["worker2"])


@asynccontextmanager
async def _without_power(site: Site, host: Host) -> AsyncIterator[None]:
    await asyncio.to_thread(site.network.vanish, host)
    try:
        yield
    finally:
        await asyncio.to_thread(site.network.boot, host)


@asynccontextmanager
async def every_process_of_a_host_is_killed(site: Site) -> AsyncIterator[None]:
    """Signal 9 to all that runs on a worker's host; its service manager starts it again."""
    await asyncio.to_thread(site["worker1"].kill)
    yield


@asynccontextmanager
async def ownership_moves(site: Site) -> AsyncIterator[None]:
    """A worker is told to end and its shards go to the other; it comes back, and they are shared again."""
    site.desk.workers[1].signal(signal.SIGTERM)
    yield


@asynccontextmanager
async def failover(site: Site) -> AsyncIterator[None]:
    """The database's host is gone in an instant; the standby is promoted. Afterwards the old one follows it."""
    old, new = site.postgres.primary, site.postgres.others[0]
    host = site[old.name]
    await asyncio.to_thread(site.network.vanish, host)
    await asyncio.to_thread(site.postgres.promote, new)
    try:
        yield
    finally:
        await asyncio.to_thread(site.network.boot, host)
        await asyncio.to_thread(site.postgres.rebuild, old)


def _primary(site: Site) -> Host:
    return site[site.postgres.primary.name]


def _secondary(site: Site) -> Host:
    return site[site.postgres.others[0].name]


SCHEDULE = (
    Fault("an API host loses the database, silently", api_loses_the_database, in_short=True),
    Fault("a worker's host loses the database, silently", worker_loses_the_database, in_short=False),
    Fault("answers of an API host are lost", answers_are_lost, in_short=False),
    Fault("the cable of a worker's host is pulled", cable_of_a_worker_is_pulled, in_short=True),
    Fault("the database is far away: 50 ms, 2 % loss", database_is_far_away, in_short=True),
    Fault("the clients are far away: 50 ms, 2 % loss", clients_are_far_away, in_short=False),
    Fault("the database refuses a worker's host", worker_is_refused, in_short=False),
    Fault("an API host has no power", api_has_no_power, in_short=True),
    Fault("every process of a worker's host is killed", every_process_of_a_host_is_killed, in_short=True),
    Fault("answers of the database to an API host are lost", database_answers_are_lost, in_short=False),
    Fault("a worker's host has no power", worker_has_no_power, in_short=False),
    Fault("ownership moves: a worker is told to end", ownership_moves, in_short=False),
    Fault("the standby is cut off for 8 s", standby_is_cut_off, in_short=False, hold_seconds=8),
    Fault("the database's host has no power, the standby is promoted", failover, in_short=True),
    Fault("after it: a worker's host loses the new one", worker_loses_the_database, in_short=False),
)
