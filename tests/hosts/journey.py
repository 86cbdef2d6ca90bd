"""The acceptance journey across hosts: sold, traded, failed, passed and paid as in `propdesk demo`, whatever befalls.

The desk goes by the clock of the quotes: an hour of the market takes as long as a fault lets it, and the outcome is
the same to the last digit.
"""

import asyncio
import re
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from itertools import count

from config.database import connection
from tests.cluster.postgres import OWNER
from tests.hosts.clients import EitherHost, EitherListener, numbers
from tests.hosts.faults import Fault
from tests.hosts.site import Site, opened
from tools import frames
from tools.expected import differences, events
from tools.journey import Journey
from tools.outcome import Outcome, digest, read

DATABASE = "journey"
PATIENCE_SECONDS = 90.0
CATCH_UP_SECONDS = 60.0
LISTENERS = 4
FRAMES_HELD = 3  # hours of the market that pass while a fault lasts
HOUR_SECONDS = 2.0  # that each of these takes at least, so that the fault is noticed before it is over
BREAK = 2  # hours between faults
POSITIONS = "select position from events where brand = 'demo' order by position"


async def play(site: Site, faults: Sequence[Fault]) -> list[str]:
    """Play it once with these faults, one after the other. Return what went wrong, a line each."""
    async with opened(site, DATABASE, mode="REPLAY"), AsyncExitStack() as stack:
        journey = _journey(site)
        await journey.speak(stack, "admin", await admin_token(site))
        steps = await journey.prepare(stack)
        listeners = [EitherListener(site.urls, n, journey.tokens["manager"], lambda _: None) for n in range(LISTENERS)]
        listening = [asyncio.create_task(listener.run()) for listener in listeners]
        await journey.buy(steps)
        weather = Weather(site, faults)
        for now in range(1, len(journey.frames)):
            await weather.at(now)
            began = time.monotonic()
            await steps.feed(journey.frames[now].rows)
            await steps.wait()
            state = await journey.state()
            if journey.is_over(state):
                break
            await journey.decide(now, state)
            await steps.wait()
            await weather.passed(time.monotonic() - began)
        await weather.clear()
        outcome = await read(journey)
        wrong = [f"{fault.name} was never caused" for fault in weather.left]
        wrong += await _settled(site, outcome, listeners)
        for task in listening:
            task.cancel()
        ended = await asyncio.gather(*listening, return_exceptions=True)
        wrong += [f"a subscriber ended: {one}" for one in ended if isinstance(one, Exception)]
        wrong += [*journey.faults, *differences(outcome)]
        print(f"  verdicts, events and ledgers hash to {digest(outcome)}")
        print(f"  {LISTENERS} subscribers, {sum(one.connections for one in listeners)} connections")
    return wrong


def _journey(site: Site) -> Journey:
    """The journey, whose clients have either host as the nearest by turns."""
    turns = count()
    return Journey(
        site.urls[0], PATIENCE_SECONDS, lambda _: None, frames.made_up(),
        transport=lambda: EitherHost(site.urls, next(turns)),
    )  # fmt: skip


async def _settled(site: Site, outcome: Outcome, listeners: Sequence[EitherListener]) -> list[str]:
    """Wait until every subscriber has every event; compare, and check the books."""
    told = sum(len(names) for names in events(outcome).values())
    deadline = time.monotonic() + CATCH_UP_SECONDS
    for listener in listeners:
        await listener.until(told, max(0.1, deadline - time.monotonic()))
    outcome.events.extend(listeners[0].events)
    async with connection(site.postgres.url(OWNER, DATABASE)) as conn:
        stamped = [position for (position,) in await conn.fetch(POSITIONS)]
    wrong = [
        f"subscriber {number} had the events {numbers(listener.events)}, not {stamped}"
        for number, listener in enumerate(listeners, 1)
        if numbers(listener.events) != stamped
    ]
    wrong += await site.shared(DATABASE)
    status, said = await site.command("verify")
    return wrong + ([] if status == 0 else [f"verify: {line}" for line in said.splitlines()])


async def admin_token(site: Site) -> str:
    """Make the first admin's token, as an operator does."""
    status, said = await site.command("token", "--role", "ADMIN", "--name", "admin")
    found = re.search(r"\bpd_\S+", said)
    assert status == 0 and found, said
    return found[0]


class Weather:
    """Causes faults by the hours of the market, each for a few of them, and says how long the longest hour took."""

    def __init__(self, site: Site, faults: Sequence[Fault]) -> None:
        self._site = site
        self.left = list(faults)
        self._stack = AsyncExitStack()
        self._fault: Fault | None = None
        self._ends = self._next = BREAK
        self._began = self._slowest = 0.0

    async def at(self, hour: int) -> None:
        """End the fault whose time is over, and cause the next one when it is due."""
        if self._fault and hour >= self._ends:
            await self._end()
            self._next = hour + BREAK
        if self._fault is None and self.left and hour >= self._next:
            self._fault = self.left.pop(0)
            self._began, self._slowest, self._ends = time.monotonic(), 0.0, hour + FRAMES_HELD
            print(f"  {self._fault.name}", flush=True)
            await self._stack.enter_async_context(self._fault.cause(self._site))
            if self._fault.hold_seconds:  # nothing goes on meanwhile, so it would last for ever
                asyncio.get_running_loop().call_later(self._fault.hold_seconds, self._site.network.mend)

    async def passed(self, seconds: float) -> None:
        """An hour of the market has passed, in so many seconds."""
        self._slowest = max(self._slowest, seconds)
        if self._fault:
            await asyncio.sleep(max(0.0, HOUR_SECONDS - seconds))

    async def clear(self) -> None:
        """End the fault that lasts."""
        if self._fault:
            await self._end()

    async def _end(self) -> None:
        await self._stack.aclose()
        lasted = time.monotonic() - self._began
        print(f"    lasted {lasted:.1f} s; the slowest hour of the market took {self._slowest:.1f} s", flush=True)
        self._fault = None
