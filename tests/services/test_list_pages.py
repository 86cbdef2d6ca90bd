"""Pages of lists against the plain meaning of their filters: each row that fits comes once, in order."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from models.sql import Connection
from models.views import list_pages
from models.views.list_query import Filters, Listing, PageRequest, Row
from models.views.visibility import Visibility
from services.unit_of_work.reads import read_snapshot
from services.views.lists import ACCOUNTS, CHALLENGES, PROGRAMS, PURCHASES, TRANSFERS
from tests.services.many import BIG, RARE, WHALE, fill

ROWS = 2_000
ENOUGH = 10_000  # rows that a statement may look at: all of them
START = datetime(2026, 1, 1, tzinfo=UTC)
SOON, LATE = START + timedelta(minutes=40), START + timedelta(minutes=1_960)
ADMIN, MANAGER, CLIENT = Visibility(), Visibility(BIG), Visibility(BIG, WHALE)
TRADER = Visibility(BIG, scope=((RARE,), ("rarebot",), (7, 1_000), (100_004, 100_009)), trades=True)

Fits = Callable[[Row], bool]
CASES: list[tuple[Listing, Filters, Fits]] = [
    (CHALLENGES, (), lambda row: True),
    (CHALLENGES, (("status", ((4, 3, 4),)),), lambda row: row["status"] in (3, 4)),
    (CHALLENGES, (("status", ((4,),)),), lambda row: row["status"] == 4),
    (CHALLENGES, (("brand", ("tiny",)),), lambda row: row["brand"] == "tiny"),
    (CHALLENGES, (("brand", ("tiny",)), ("status", ((3,),))), lambda row: row["brand"] == "tiny"),
    (CHALLENGES, (("client", (RARE,)), ("status", ((4,),))), lambda row: row["client"] == RARE),
    (CHALLENGES, (("phase_type", ((1,),)),), lambda row: row["id"] <= 3),
    (CHALLENGES, (("program_id", (1,)), ("phase_type", ((1,),))), lambda row: row["program_id"] == 1),
    (CHALLENGES, (("created_from", (LATE,)),), lambda row: row["created_at"] >= LATE),
    (CHALLENGES, (("created_before", (SOON,)),), lambda row: row["created_at"] < SOON),
    (CHALLENGES, (("created_before", (SOON,)), ("client", (WHALE,))),
     lambda row: row["created_at"] < SOON and row["client"] == WHALE),
    (CHALLENGES, (("text", ("WHALE",)),), lambda row: row["client"] == WHALE),
    (CHALLENGES, (("text", ("t-101",)),), lambda row: "t-101" in row["client"]),
    (CHALLENGES, (("text", ("nt-1",)), ("status", ((3,),))), lambda row: "nt-1" in row["client"]),
    (CHALLENGES, (("text", ("1234",)),), lambda row: row["id"] == 1234),
    (PURCHASES, (("text", ("client-1",)), ("program_id", (4,))), lambda row: "client-1" in row["client"]),
    (PURCHASES, (("wallet_id", (5,)),), lambda row: row["wallet_id"] == 5),
    (ACCOUNTS, (("status", (("LOCKED", "COMPLETED"),)), ("mode", (("RACE",),))), lambda row: row["mode"] == "RACE"),
    (ACCOUNTS, (("text", ("RARE",)),), lambda row: any(
        "rare" in row[name].lower() for name in ("owner", "clone", "group_name"))),
    (ACCOUNTS, (("clone", ("bot",)), ("group", ("DEMO",))), lambda row: row["clone"] == "bot"),
    (TRANSFERS, (("house", (("EXTERNAL",),)),), lambda row: row["house"] == "EXTERNAL"),
    (TRANSFERS, (("money", ("REAL",)), ("kind", (("FEE",),))), lambda row: row["kind"] == "FEE"),
    (TRANSFERS, (("recorded_from", (LATE,)), ("currency", ("USD",))), lambda row: row["recorded_at"] >= LATE),
    (PROGRAMS, (("status", ((1, 0),)), ("text", ("ra",))), lambda row: "ra" in row["name"].lower()),
]  # fmt: skip


def _seen(listing: Listing, visibility: Visibility, row: Row) -> bool:
    if visibility.brand not in (None, row["brand"]):
        return False
    client = row.get("client", row.get("owner"))
    if visibility.client is not None:
        return bool(client == visibility.client)
    if visibility.scope is None:
        return True
    owners, clones, challenges, accounts = visibility.scope
    account = row["id"] if listing is ACCOUNTS else row["account_id"]
    clone = "rarebot" if account <= 100_003 else "bot"
    challenge = row["challenge_id"] if listing is ACCOUNTS else row["id"]
    return client in owners or clone in clones or challenge in challenges or account in accounts


async def _walk(
    conn: Connection,
    listing: Listing,
    visibility: Visibility,
    filters: Filters,
    first: int,
    most: int,
    *,
    reverse: bool,
) -> list[Row]:
    """Every row, page by page."""
    found: list[Row] = []
    after: tuple[Any, ...] | None = None
    for _ in range(ROWS):
        rows, _, end = await list_pages.fetch_page(
            conn, listing, visibility, filters, PageRequest(first, after, reverse), most
        )
        found += rows[:first]
        if len(rows) <= first and end is None:
            return found
        after = end or tuple(rows[first - 1][key.name] for key in listing.order)
    raise AssertionError("it does not end")


@pytest.fixture
async def many(database: str) -> None:
    await fill(database, ROWS)


async def test_page_by_page_each_row_that_fits_comes_once_and_in_order(many: None) -> None:
    async with read_snapshot() as conn:
        for listing, filters, fits in CASES:
            every = await _walk(conn, listing, ADMIN, (), 1_000, ENOUGH, reverse=False)
            for visibility in (ADMIN, MANAGER, CLIENT, TRADER):
                if (visibility.client and listing in (TRANSFERS, PROGRAMS)) or (visibility.scope and not listing.scope):
                    continue
                expected = [row["id"] for row in every if _seen(listing, visibility, row) and fits(row)]
                for first, most, reverse in ((100, 300, False), (1_000, ENOUGH, True), (7, 400, True)):
                    rows = await _walk(conn, listing, visibility, filters, first, most, reverse=reverse)
                    ids = [row["id"] for row in rows]
                    assert ids == (expected[::-1] if reverse else expected), (listing.source, filters, visibility, most)
                extent = await list_pages.count_rows(conn, listing, visibility, filters, ENOUGH)
                assert extent == (len(expected), True), (listing.source, filters, visibility)
                cut = await list_pages.count_rows(conn, listing, visibility, filters, 100)
                assert cut.number == len(expected) if cut.exact else cut.number <= len(expected)


async def test_a_count_that_comes_to_its_limit_says_so(many: None) -> None:
    async with read_snapshot() as conn:
        assert await list_pages.count_rows(conn, CHALLENGES, MANAGER, (), 100) == (1_000, False)  # entries of an index
        assert await list_pages.count_rows(conn, CHALLENGES, MANAGER, (), 200) == (ROWS - 2, True)
        assert await list_pages.count_rows(conn, CHALLENGES, MANAGER, (("text", ("%",)),), 100) == (0, False)  # rows
        counted, exact = await list_pages.count_by_value(
            conn, CHALLENGES, MANAGER, (("status", ((3, 4),)),), "c.status", 100
        )
        assert (counted, exact) == ({3: 1_000, 4: 3}, False)
        assert await list_pages.count_rows(conn, CHALLENGES, Visibility("tiny"), (), 100) == (2, True)


async def test_nobody_finds_by_what_is_not_shown_to_him(many: None) -> None:
    async with read_snapshot() as conn:

        async def found(listing: Listing, visibility: Visibility, **given: str) -> int:
            filters = tuple((name, (value,)) for name, value in given.items())
            return (await list_pages.count_rows(conn, listing, visibility, filters, ENOUGH)).number

        rare = Visibility(BIG, RARE)
        whole = Visibility(BIG, trades=True)
        for listing in (CHALLENGES, PURCHASES):
            assert await found(listing, MANAGER, text="special-77") == 3
            assert await found(listing, rare, text="special-77") == 0
            assert await found(listing, rare, text="phoenix") == 3
        assert await found(PURCHASES, MANAGER, tag="vip") == 3
        assert await found(PURCHASES, rare, tag="vip") == 0
        for visibility in (TRADER, whole):
            assert await found(CHALLENGES, visibility, text="special-77") == 0
            assert await found(CHALLENGES, visibility, text="phoenix") == 0
            assert await found(CHALLENGES, visibility, text=RARE) == 3


async def test_a_text_is_no_pattern(many: None) -> None:
    async with read_snapshot() as conn:
        for text in ("%", "_", "whal_", "%hale", "whale%", "\\", "wha\\le"):
            assert await list_pages.count_rows(conn, CHALLENGES, MANAGER, (("text", (text,)),), ENOUGH) == (0, True), (
                text
            )
        assert not re.search(r"[\\%_]", WHALE)
