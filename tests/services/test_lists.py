"""Every filter of every list, for everybody who may ask: what a page or a count looks at does not grow with the desk.

Made from the lists themselves: a new filter needs a value that fits few rows here, and fails without an index.
"""

import fcntl
import json
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import combinations
from typing import Any, cast

import asyncpg
import pytest

from config.address import sibling
from config.database import close_database, create_database, open_database
from models.sql import Connection
from models.views import list_pages
from models.views.list_query import Filters, Listing, PageRequest, Row
from models.views.visibility import Visibility
from services.unit_of_work.reads import read_snapshot
from services.views import lists
from services.views.lists import (
    ACCOUNTS,
    ACTIONS,
    AUDIT,
    BREACHES,
    BULK_REINSTATEMENTS,
    BULK_RESULTS,
    CHALLENGES,
    CURRENCIES,
    EVENTS,
    FILLS,
    GROUPS,
    HOUSE_ACCOUNTS,
    INSTRUMENTS,
    JOBS,
    LEDGER,
    METRICS,
    ORDERS,
    PAYOUTS,
    POSITIONS,
    PROGRAMS,
    PURCHASES,
    QUOTE_HISTORY,
    QUOTE_VOIDS,
    QUOTES,
    TOKENS,
    TRANSFERS,
    WALLETS,
)
from tests.conftest import NAMED, TEMPLATE, room
from tests.services.many import BIG, RARE, SMALL, WHALE, examined, fill

MOST = 500
"""Rows that a statement may look at: the tables have forty times as many."""
LOOKED_MAX = 8 * MOST
"""Entries of indexes and rows, those that a row is joined with included, of one statement."""
COUNTED_MAX = 22 * MOST
"""The same of a count, which goes further where an index says all."""
EARLY = datetime(2026, 1, 1, 0, 4, tzinfo=UTC)
NEVER = EARLY - timedelta(365)

ADMIN, MANAGER, OTHER = Visibility(), Visibility(BIG), Visibility(SMALL)
OWNER, STRANGER = Visibility(BIG, WHALE), Visibility(BIG, RARE)
TRADER = Visibility(BIG, scope=((RARE,), ("rarebot",), (1, 7), (100_001, 100_009)), trades=True)
BOT = Visibility(BIG, scope=((), ("bot",), (), ()), trades=True)
DESK: Sequence[Visibility] = (ADMIN, MANAGER, OTHER)
MONEY = (*DESK, OWNER, STRANGER)
ALL = (*MONEY, TRADER, BOT)  # BOT by accounts alone: those of challenges have no clone

ROOTS: dict[Listing, tuple[Sequence[Visibility], dict[str, tuple[Any, ...]]]] = {
    CHALLENGES: ((*MONEY, TRADER), {
        "purchase_id": (1, -1), "account_id": (100_001, -1), "client": (RARE, "nobody"), "program_id": (1, -1),
        "status": ((4,), (0,), (4, 0)), "phase_type": ((1,),), "created_from": (NEVER + timedelta(800),),
        "created_before": (EARLY, NEVER), "text": (RARE, "special-77", "PHOENIX", "2", "xyzzy", "zz", "%%%"),
    }),
    PURCHASES: (MONEY, {
        "payment_reference": ("none",), "wallet_id": (1, -1), "client": (RARE, "nobody"), "program_id": (1, -1),
        "status": ((4,), (0,)), "created_from": (NEVER + timedelta(800),), "created_before": (EARLY, NEVER),
        "tag": ("vip", "none"), "text": (RARE, "special-77", "PHOENIX", "2", "xyzzy", "zz"),
    }),
    ACCOUNTS: (ALL, {
        "challenge_id": (1, -1), "owner": (RARE, "nobody"), "parent_id": (100_001, -1), "clone": ("rarebot", "none"),
        "group": ("RAREGROUP", "none"), "status": (("LOCKED",), ("PENDING",)), "mode": (("RACE",), ("AUDITION",)),
        "text": (RARE, "raregroup", "100002", "xyzzy", "zz"),
    }),
    WALLETS: (MONEY, {"client": (f"{RARE}/1", "nobody"), "currency": ("EUR", "XXX")}),
    TRANSFERS: (MONEY, {
        "transfer": (1, -1), "account_id": (100_002, -1), "wallet_id": (1, -1), "client": (f"{RARE}/1", "nobody"),
        "house": (("EXTERNAL",), ("CAPITAL",)), "kind": (("REFUND",), ("DEPOSIT",)), "money": ("SYNTHETIC", "NONE"),
        "currency": ("EUR", "XXX"), "recorded_from": (NEVER + timedelta(800),), "recorded_before": (EARLY, NEVER),
    }),
    PAYOUTS: (MONEY, {
        "challenge_id": (1, -1), "account_id": (100_001, -1), "client": (f"{RARE}/1", "nobody"),
        "status": (("CANCELLED",), ("PAID",)), "currency": ("EUR", "XXX"),
        "created_from": (NEVER + timedelta(800),), "created_before": (EARLY, NEVER),
    }),
    JOBS: (DESK, {"challenge_id": (1, -1), "account_id": (100_001, -1), "status": (("DEAD",), ("QUEUED",)),
                  "kind": ("rare", "none")}),
    AUDIT: (DESK, {
        "request_id": ("r1", "none"), "object_id": ("x", "none"), "actor": ("manager:rare", "none"),
        "operation": (("rare",), ("none",)), "object_kind": ("rare", "none"),
        "recorded_from": (NEVER + timedelta(800),), "recorded_before": (EARLY, NEVER),
    }),
    PROGRAMS: ((*DESK, OWNER), {
        "status": ((0,), (2,), (0, 2)), "phase_type": (1,), "text": ("PHOENIX", "2", "xyzzy", "zz"),
        "created_from": (NEVER + timedelta(800),), "created_before": (EARLY, NEVER),
    }),
    TOKENS: (DESK, {"role": (("TRADER",), ("FEED",)), "valid": (True,)}),
    GROUPS: (DESK, {"kind": ("REAL",)}),
    HOUSE_ACCOUNTS: (DESK, {"currency": ("EUR",), "purpose": (("CAPITAL",),)}),
    INSTRUMENTS: ((ADMIN,), {"kind": (("METAL",),), "status": ("RETIRED",)}),
    CURRENCIES: ((ADMIN,), {}),
    BULK_REINSTATEMENTS: (DESK, {}),
    QUOTE_VOIDS: ((ADMIN,), {"symbol": ("none",)}),
    QUOTES: ((ADMIN,), {"symbols": (("S1", "none"),)}),
    QUOTE_HISTORY: ((ADMIN,), {"symbol": ("RAREUSD", "none")}),
}  # fmt: skip
"""By list who reads it from the root, and by filter values that fit few rows, none, or only the oldest."""
OF_ACCOUNT: dict[str, tuple[Any, ...]] = {
    f"{name}_{end}": (EARLY, NEVER) if end == "before" else (NEVER + timedelta(800),)
    for name in ("opened", "placed", "filled", "market_time")
    for end in ("from", "before")
} | {
    "symbol": ("RAREUSD", "none"), "side": ("SHORT", "none"), "verb": (("CLOSE",), ("REDUCE",)),
    "type": (("LIMIT",), ("STOP",)), "kind": (("deposit",), ("payout",)), "run_id": ("rare", "none"),
    "action_id": ("a1", "none"), "code": ("RARE", "none"),
    "status": (("VOID", "OPEN", "REJECTED"), ("WORKING",)), "before": (4,), "names": (("rare",), ("none",)),
    "outcome": (("REFUSED",),),
}  # fmt: skip
NESTED = {POSITIONS: "account", ORDERS: "account", FILLS: "account", LEDGER: "account", ACTIONS: "account",
          BULK_RESULTS: "bulk", EVENTS: "challenge", BREACHES: "challenge", METRICS: "challenge"}  # fmt: skip
TWOFOLD = {"version_of", "name", "hit"}
"""Filters that take several values; each serves one field: an order's versions, an action, failures since a span."""


class Measured:
    """A connection that explains what it is asked, and keeps how much the costliest statement looked at.

    `generic`: by the plan for any values, which the server may keep for a statement. Of one whose limit is a value it
    never does: not knowing the limit, it takes that plan for many times as costly.
    """

    def __init__(self, conn: Connection, *, generic: bool) -> None:
        self.conn, self.looked, self.statement, self.generic = conn, 0.0, "", generic

    async def fetch(self, statement: str, *values: object) -> list[Row]:
        explain = "explain (analyze, timing off, format json)"
        if self.generic and "limit $" not in statement:
            await self.conn.execute(f"set local plan_cache_mode = force_generic_plan; prepare asked as {statement}")
            given = f"({', '.join(map(_literal, values))})" if values else ""
            explained = await self.conn.fetchval(f"{explain} execute asked{given}")
            await self.conn.execute("deallocate asked; reset plan_cache_mode")
        else:
            explained = await self.conn.fetchval(f"{explain} {statement}", *values)
        looked = examined(json.loads(explained)[0]["Plan"])
        if looked >= self.looked:
            self.looked, self.statement = looked, statement
        found: list[Row] = await self.conn.fetch(statement, *values)
        return found

    async def fetchrow(self, statement: str, *values: object) -> Row | None:
        return next(iter(await self.fetch(statement, *values)), None)

    async def execute(self, statement: str) -> None:
        assert "force_custom_plan" in statement
        self.generic = False


def _literal(value: object) -> str:
    if isinstance(value, list | tuple):
        return f"'{{{','.join(map(str, value))}}}'"
    return "null" if value is None else f"'{value}'"


@pytest.fixture
async def many(server: str, testrun_uid: str) -> AsyncIterator[Connection]:
    """A view of the desk with many rows, which the first test of the run makes for all."""
    with (room() / f"{NAMED}{testrun_uid}" / "many.lock").open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with suppress(asyncpg.DuplicateDatabaseError):
            await fill(await create_database(server, "many", template=TEMPLATE))
    await open_database(sibling(server, "many"), pool_size=2, name="test")
    async with read_snapshot() as conn:
        yield conn
    await close_database()


def filters_of(listing: Listing, values: dict[str, tuple[Any, ...]]) -> Iterator[Filters]:
    """No filter, each alone with each of its values, and every two together."""
    yield ()
    single = [(name, (value,)) for name in listing.filters if name not in TWOFOLD for value in values[name]]
    single += [("brand", (name,)) for name in (BIG, SMALL, "none")] if listing.brand else []
    yield from ((one,) for one in single)
    yield from combinations(dict(single).items(), 2)


async def check(conn: Connection, read: partial[Any], most: int) -> None:
    filters, visibility = read.keywords["filters"], read.keywords["visibility"]
    for generic in (False, True) if len(filters) < 2 else (False,):
        measured = Measured(conn, generic=generic)
        await read(cast("Connection", measured))
        assert measured.looked <= most, f"{filters} {visibility} {generic} {measured.looked}: {measured.statement}"


@pytest.mark.parametrize("listing", ROOTS, ids=lambda listing: listing.source.split()[0])
async def test_a_page_and_a_count_look_at_a_bounded_number_of_rows(many: Connection, listing: Listing) -> None:
    sights, values = ROOTS[listing]
    for filters in filters_of(listing, values) if listing is not QUOTE_HISTORY else _quote_filters():
        for visibility in sights if len(filters) < 2 else {*sights} & {MANAGER, STRANGER, TRADER}:
            if listing is PROGRAMS and visibility is OWNER and "status" not in dict(filters):
                continue  # a client lists those on sale only
            asked: dict[str, Any] = {"listing": listing, "visibility": visibility, "filters": filters, "most": MOST}
            for reverse in (False, True):
                await check(
                    many, partial(list_pages.fetch_page, window=PageRequest(20, None, reverse), **asked), LOOKED_MAX
                )
            await check(many, partial(list_pages.count_rows, **asked), COUNTED_MAX)


def _quote_filters() -> Iterator[Filters]:
    yield (("symbol", ("RAREUSD",)),)
    yield (("symbol", ("none",)), ("source_before", (EARLY, "none")))
    for moment in (EARLY, NEVER, NEVER + timedelta(800)):
        for end in ("source_from", "source_before"):
            yield (("symbol", ("EURUSD",)), (end, (moment, "EURUSD")))


@pytest.mark.parametrize("listing", NESTED, ids=lambda listing: listing.source.split()[0])
async def test_a_nested_page_looks_at_a_bounded_number_of_rows(many: Connection, listing: Listing) -> None:
    parent = NESTED[listing]
    ids = [100_001] if parent == "account" else [1]
    for filters in filters_of(listing, OF_ACCOUNT):
        asked: dict[str, Any] = {
            "listing": listing,
            "parent": parent,
            "ids": ids,
            "filters": filters,
            "most": MOST,
            "visibility": ADMIN,
        }
        for reverse in (False, True):
            await check(
                many, partial(list_pages.fetch_nested_pages, window=PageRequest(20, None, reverse), **asked), LOOKED_MAX
            )
        await check(many, partial(list_pages.count_nested_rows, **asked), LOOKED_MAX)


def test_every_list_and_every_filter_is_measured() -> None:
    every = {one for one in vars(lists).values() if isinstance(one, Listing)}
    # As many as a program has steps, and a challenge days and phases; or read by id alone.
    few = {"brands", "phases", "days", "latest", "steps", "reinstatements", "orders_named"}
    assert {name.lower() for name, one in vars(lists).items() if isinstance(one, Listing) and one not in ROOTS
            and one not in NESTED} == few  # fmt: skip
    assert {*ROOTS, *NESTED} <= every
    for listing in (*ROOTS, *NESTED):
        known = ROOTS[listing][1] if listing in ROOTS else OF_ACCOUNT
        missing = set(listing.filters) - set(known) - TWOFOLD - {"source_from", "source_before"}
        assert not missing, (listing.source, missing)
