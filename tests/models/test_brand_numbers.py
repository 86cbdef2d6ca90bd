"""Each brand numbers its own objects by its own sequences, without locks."""

import asyncio
from typing import Any

import asyncpg
import pytest

from config.database import connection, pool
from models import jobs

SPAN = 10**12
OF_THE_DESK = {"outbox", "epochs", "removed_sales", "quote_voids"}  # shown to nobody, or of the market
WALLET = "insert into wallets (brand, client, currency) values ($1, $2, 'USD') returning id"
BRAND = "insert into brands (name, title) values ($1, $1) returning number_prefix"
WAITING = "select count(*) from pg_locks l join pg_database d on d.oid = l.database where not granted and datname = $1"


async def _wallets(brand: str, *clients: str) -> list[int]:
    return [await pool().fetchval(WALLET, brand, client) for client in clients]


async def test_what_is_shown_is_numbered_by_its_brand(database: str) -> None:
    """A new table whose rows the API shows needs an `Identity`, a trigger and a sequence; others are in OF_THE_DESK."""
    identities = """select c.relname from pg_attribute a join pg_class c on c.oid = a.attrelid
      where a.attidentity <> '' and c.relnamespace = 'public'::regnamespace"""
    assert {row[0] for row in await pool().fetch(identities)} == OF_THE_DESK


async def test_one_brands_numbers_follow_each_other_whatever_the_others_do(database: str) -> None:
    prefixes = [await pool().fetchval(BRAND, brand) for brand in ("acme", "other", "third")]
    assert prefixes[0] == 0
    assert len(set(prefixes)) == 3
    assert all(1 <= prefix <= 9000 for prefix in prefixes[1:])
    found = [await _wallets("other", "a"), await _wallets("acme", *"abc"), await _wallets("other", "b"),
             await _wallets("third", *"ab"), await _wallets("acme", "d"), await _wallets("other", "c")]  # fmt: skip
    first, second = prefixes[1] * SPAN, prefixes[2] * SPAN
    assert found == [[first + 1], [1, 2, 3], [first + 2], [second + 1, second + 2], [4], [first + 3]]
    assert max(prefixes) * SPAN + SPAN < 9002 * SPAN < 2**53


async def test_a_brands_prefix_follows_from_its_name(database: str) -> None:
    """Two replays of one desk give the same numbers. If a prefix is in use, the next free one is taken."""
    for brand in ("acme", "other"):
        await pool().fetchval(BRAND, brand)
    async with connection(database) as owner:
        assert await owner.fetchval("select number_prefix from brands where name = 'other'") == 7193
        due = await owner.fetchval("select free_number_prefix('third')")
        await owner.execute("update brands set number_prefix = $1 where name = 'other'", due)
    assert await pool().fetchval(BRAND, "third") == due % 9000 + 1


async def test_rows_of_no_brand_have_numbers_of_their_own(database: str) -> None:
    await pool().fetchval(BRAND, "acme")
    token = "insert into tokens (brand, role, name, prefix, hash) values ($1, $2, 'n', 'p', $3) returning id"
    bearers = [(None, "ADMIN"), ("acme", "MANAGER"), (None, "FEED"), ("acme", "TRADER")]
    found = [await pool().fetchval(token, *bearer, bytes([place])) for place, bearer in enumerate(bearers)]
    assert found == [9001 * SPAN + 1, 1, 9001 * SPAN + 2, 2]
    with pytest.raises(asyncpg.ForeignKeyViolationError):
        await pool().fetchval(WALLET, "nobody", "a")


async def test_two_writers_of_one_brand_wait_for_nothing_and_share_no_number(database: str) -> None:
    await pool().fetchval(BRAND, "acme")
    async with connection(database) as one, connection(database) as other, one.transaction(), other.transaction():
        found: list[Any] = []
        name_of = await one.fetchval("select current_database()")
        async with asyncio.timeout(20):
            for place in range(20):
                for writer, name in ((one, "one"), (other, "other")):
                    found.append(await writer.fetchval(WALLET, "acme", f"{name}-{place}"))
                    assert await writer.fetchval(WAITING, name_of) == 0
    assert sorted(found) == list(range(1, 41))


async def test_jobs_are_taken_in_the_order_of_their_times_whosever_they_are(database: str) -> None:
    """Ids rise within a brand only; in their order the jobs of the first brand would always be first."""
    for brand in ("acme", "other"):
        await pool().fetchval(BRAND, brand)
    owed, taken = ["other", "acme", "other", "acme"], []
    for brand in owed:
        await pool().execute("insert into jobs (brand, kind) values ($1, 'made up')", brand)
    async with pool().acquire() as conn:
        while (job := await jobs.take_job(conn)) is not None:
            taken.append(job["brand"])
            await jobs.finish_job(conn, job["id"], "done")
    assert taken == owed


async def test_brands_that_are_made_at_once_take_different_prefixes(database: str) -> None:
    names = [f"brand-{place}" for place in range(8)]
    prefixes = await asyncio.gather(*(pool().fetchval(BRAND, name) for name in names))
    assert len(set(prefixes)) == 8
    assert prefixes.count(0) == 1


async def test_the_application_can_neither_set_nor_make_a_sequence(database: str) -> None:
    await pool().fetchval(BRAND, "acme")
    for attempt in (
        "select setval('brand_numbers.\"wallets:acme\"', 7)",
        "create sequence brand_numbers.mine",
        "select add_number_sequences('mine', 77)",
        "drop schema brand_numbers cascade",
    ):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await pool().execute(attempt)
