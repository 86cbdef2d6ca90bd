"""A desk's day: a feed, bots, clients and staff at work, and subscribers that follow, all of it in the journal."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from random import Random

import httpx

from cli.generator import SHAPES, walk
from tests.cluster import firm as firms
from tests.cluster.desk import Desk, until
from tests.cluster.firm import Firm
from tests.cluster.journal import Journal, Request
from tests.cluster.speaker import ATTEMPT_SECONDS_MAX
from tests.cluster.subscribers import Subscriber
from tests.cluster.verbs import WEIGHTS, Account, Verb, World

JUMPS = 0.02  # of the rounds of quotes
LOOK_SECONDS = 2.0  # between looks at the running challenges
STANDING = "{ system { newestBatch evaluatedThrough deadJobs load { lagBatches jobWaitSeconds eventsWaiting } } }"
RUNNING = """query ($after: String) { challenges(first: 100, after: $after, filter: {status: [ACTIVE]}) {
  nodes { id client account { id status } purchase { id } currentPhase { phaseType } }
  pageInfo { hasNextPage endCursor } } }"""


@dataclass(frozen=True, slots=True)
class Settings:
    """How hard the desk is worked."""

    seed: int = 1
    verbs_second: float = 8.0
    hands: int = 12  # verbs under way at once
    clients: int = 6
    subscribers: int = 3
    quote_seconds: float = 1.0


@dataclass(slots=True)
class Load:
    """The work on one desk. `run` works until `stop`; every verb that was begun is finished first."""

    settings: Settings
    firm: Firm
    journal: Journal
    subscribers: list[Subscriber]
    world: World
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    verbs: Counter[str] = field(default_factory=Counter)

    async def run(self) -> None:
        """Work until told to stop."""
        self.stopping.clear()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._feed())
            tasks.create_task(self._look())
            for number in range(self.settings.hands):
                tasks.create_task(self._hand(number))

    async def one_of_each(self) -> None:
        """Do each verb once, in order: a desk that has seen everything before the first fault."""
        await self._look_once()
        for verb in WEIGHTS:
            await verb(self.world)
            self.verbs[verb.__name__] += 1
            await self._look_once()

    async def quote(self) -> None:
        """Hand in one round of quotes."""
        await self._hand_in(next(_walk(self.settings.seed)))

    def stop(self) -> None:
        self.stopping.set()

    async def all_events_came(self, newest: int, seconds_max: float = 60.0) -> float:
        """Wait until each subscriber has the event at that position; return the seconds. Raises TimeoutError."""
        began = time.monotonic()
        await until(
            lambda: all(one.newest >= newest or one.faults for one in self.subscribers),
            seconds_max,
            lambda: f"event {newest} at {[(one.name, one.newest, one.closes[-3:]) for one in self.subscribers]}",
        )
        return time.monotonic() - began

    async def settled(self, seconds_max: float = 90.0) -> float:
        """Wait until the desk is behind with nothing; return the seconds. Raises TimeoutError saying how it stands."""
        began = time.monotonic()
        while True:
            now = (await self.firm["admin"].query(STANDING))["system"]
            behind = now["load"]["lagBatches"] + now["load"]["eventsWaiting"]
            if not behind and now["evaluatedThrough"] >= now["newestBatch"]:
                return time.monotonic() - began
            if time.monotonic() - began > seconds_max:
                raise TimeoutError(f"after {seconds_max:.0f} s the desk is still behind: {now}")
            await asyncio.sleep(LOOK_SECONDS / 4)

    async def _hand(self, number: int) -> None:
        """Do one verb after the other, at this hand's share of the rate."""
        chance = Random(f"{self.settings.seed}/{number}")
        pause = self.settings.hands / self.settings.verbs_second
        while not self.stopping.is_set():
            verb: Verb = chance.choices(list(WEIGHTS), list(WEIGHTS.values()))[0]
            await verb(self.world)
            self.verbs[verb.__name__] += 1
            await self._pause(chance.uniform(0.5, 1.5) * pause)

    async def _feed(self) -> None:
        """Hand in a round of quotes at a time, each with the time at which it is sent for the first time."""
        rounds = _walk(self.settings.seed)
        while not self.stopping.is_set():
            await self._hand_in(next(rounds))
            await self._pause(self.settings.quote_seconds)

    async def _hand_in(self, rows: dict[str, tuple[str, str]]) -> Request:
        now = datetime.now(UTC).isoformat()
        quotes = [{"symbol": symbol, "bid": bid, "ask": ask, "time": now} for symbol, (bid, ask) in rows.items()]
        request = await self.firm["feed"].ask(
            "ingestQuotes", "accepted batches newestBatch dropped { symbol reason count }", has_key=False,
            quotes=quotes,
        )  # fmt: skip
        self.world.bids = {symbol: Decimal(bid) for symbol, (bid, _) in rows.items()}
        return request

    async def _look(self) -> None:
        while not self.stopping.is_set():
            await self._look_once()
            await self._pause(LOOK_SECONDS)

    async def _look_once(self) -> None:
        """Learn which accounts run now; what is remembered of those that go on is kept."""
        seen, after, more = dict[str, Account](), None, True
        while more:
            page = (await self.firm["manager"].query(RUNNING, after=after))["challenges"]
            for node in page["nodes"]:
                if node["account"] and node["account"]["status"] == "ACTIVE":
                    account = _account(node)
                    seen[account.id] = self.world.accounts.get(account.id, account)
            more, after = page["pageInfo"]["hasNextPage"], page["pageInfo"]["endCursor"]
        self.world.accounts = seen

    async def _pause(self, seconds: float) -> None:
        """Wait, or until it is over."""
        try:
            async with asyncio.timeout(seconds):
                await self.stopping.wait()
        except TimeoutError:
            return


def _walk(seed: int) -> Iterator[dict[str, tuple[str, str]]]:
    """Bids and asks by symbol, round after round; now and then a symbol jumps, which decides many challenges."""
    chance = Random(seed)
    for rows in walk(seed, tuple(SHAPES), datetime.now(UTC), timedelta(seconds=1)):
        jumps = chance.choice(sorted(SHAPES)) if chance.random() < JUMPS else ""
        by = Decimal("0.004") * chance.choice((1, -1))
        prices = {row.symbol: (row.bid, row.ask) for row in rows}
        if jumps:
            point = SHAPES[jumps].point
            bid, ask = prices[jumps]
            prices[jumps] = (bid * (1 + by)).quantize(point), (ask * (1 + by)).quantize(point)
        yield {symbol: (str(price[0]), str(price[1])) for symbol, price in prices.items()}


@asynccontextmanager
async def working(
    desk: Desk, journal: Journal, settings: Settings, *, urls: Sequence[str] | None = None
) -> AsyncIterator[Load]:
    """A prepared firm whose subscribers follow; the load on it begins with `run`.

    `urls` stand in for those of the desk, where clients see other addresses.
    """
    limits = httpx.Limits(max_connections=100, keepalive_expiry=5)
    async with httpx.AsyncClient(trust_env=False, limits=limits, timeout=ATTEMPT_SECONDS_MAX) as http:
        firm = await firms.prepare(desk, journal, http, clients=settings.clients, urls=urls)
        reached = list(urls or desk.urls)
        turned = [reached[n % len(reached) :] + reached[: n % len(reached)] for n in range(settings.subscribers)]
        subscribers = [
            Subscriber(f"subscriber-{n}", firm["manager"].token, order, journal) for n, order in enumerate(turned, 1)
        ]
        load = Load(settings, firm, journal, subscribers, World(firm, Random(settings.seed)))
        await load.quote()
        await firms.fund(firm)
        following = [asyncio.create_task(subscriber.run()) for subscriber in subscribers]
        try:
            yield load
        finally:
            for task in following:
                task.cancel()
            await asyncio.gather(*following, return_exceptions=True)


def _account(node: dict[str, dict[str, str]]) -> Account:
    funded = (node["currentPhase"] or {}).get("phaseType") == "FUNDED"
    return Account(node["account"]["id"], str(node["id"]), str(node["client"]), node["purchase"]["id"], funded)
