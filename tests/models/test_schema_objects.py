"""Objects that the ORM and its migrations could lose unnoticed: constraints, indexes, triggers, privileges.

`expected_schema.txt` lists them; a migration changes both.
"""

from collections.abc import Sequence
from pathlib import Path

import asyncpg
import pytest

from config.database import connection, pool

EXPECTED = Path(__file__).with_name("expected_schema.txt")

# Partitions are left out: their names contain the month, and they inherit; so are NOT NULLs, constraints since 18.
OBJECTS = """
with tables as (
  select c.oid, c.relname from pg_class c
  where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition)
select t.relname, 'constraint ' || o.conname || ': ' || pg_get_constraintdef(o.oid) from tables t
join pg_constraint o on o.conrelid = t.oid where o.contype <> 'n'
union all
select t.relname, 'index ' || i.relname || ': ' || pg_get_indexdef(i.oid) from tables t
join pg_index x on x.indrelid = t.oid join pg_class i on i.oid = x.indexrelid
union all
select t.relname, 'trigger ' || g.tgname || ': ' || pg_get_triggerdef(g.oid) from tables t
join pg_trigger g on g.tgrelid = t.oid where not g.tgisinternal
union all
select 'domain ' || d.typname, 'constraint ' || o.conname || ': ' || pg_get_constraintdef(o.oid) from pg_type d
join pg_constraint o on o.contypid = d.oid where d.typnamespace = 'public'::regnamespace and o.contype <> 'n'
"""

# An index serves a foreign key when it begins with the key's columns, in any order, and leaves out only nulls.
UNINDEXED = """
select o.conrelid::regclass::text || '.' || o.conname from pg_constraint o
where o.contype = 'f' and o.conparentid = 0 and o.connamespace = 'public'::regnamespace and not exists (
  select from pg_index x
  where x.indrelid = o.conrelid
    and (x.indkey::int2[])[0:cardinality(o.conkey) - 1] @> o.conkey
    and (x.indpred is null or pg_get_expr(x.indpred, x.indrelid) ~ '^\\(\\w+ IS NOT NULL\\)$'))
order by 1
"""

LEDGER_ROW = """
insert into ledger (account_id, seq, kind, amount, balance_after, market_time, batch, facts, hash)
values (1, 1, 'DEPOSIT', 5, 5, now(), 0, '{}', '')
"""
ROWS = {
    "ledger": (LEDGER_ROW, "amount = 6"),
    "audit": (
        """insert into audit (chain, seq, actor, role, operation, object_kind, object_id, reason, before, after,
          request_id, recorded_at, hash)
        values ('', 1, 'admin:ada', 'ADMIN', 'lockAccount', 'account', '1', 'why', '{}', '{}', '', now(),
          '')""",
        "reason = 'another'",
    ),
    "terms": ("insert into terms (hash, version, body) values ('x', 1, '{}')", "body = 'y'"),
    "transfers": (
        """with brand as (insert into brands (name, title) values ('acme', 'Acme') returning name)
        insert into transfers (transfer, brand, kind, money, account_id, account_seq, currency, amount, cause,
          market_time)
        select 1, name, 'DEPOSIT', 'SYNTHETIC', 1, 1, 'USD', 5, 'test', now() from brand""",
        "amount = 6",
    ),
}
"""An insert and an update for each append-only table."""


REFUSED = (asyncpg.InsufficientPrivilegeError, asyncpg.RestrictViolationError)
"""The two guards: a missing privilege, and the trigger where the privilege exists."""


async def _partition(table: str) -> str:
    found: str = await pool().fetchval(f"select coalesce(min(tableoid::regclass::text), $1) from {table}", table)
    return found


async def _attempts(table: str) -> list[str]:
    """Return every statement that would change stored rows, on the table and on its partition if there is one."""
    change = ROWS[table][1]
    names = {table, await _partition(table)}
    return [
        sql
        for name in sorted(names)
        for sql in (f"update {name} set {change}", f"delete from {name}", f"truncate {name} cascade")
    ]


async def _refused(conn: asyncpg.Connection, attempts: Sequence[str], *errors: type[Exception]) -> None:
    for attempt in attempts:
        with pytest.raises(errors):
            await conn.execute(attempt)


async def test_the_schema_has_exactly_the_expected_objects(database: str) -> None:
    lines: dict[str, list[str]] = {}
    for table, text in await pool().fetch(OBJECTS):
        lines.setdefault(table, []).append(f"  {text}\n")
    found = "".join(f"{table}\n{''.join(sorted(lines[table]))}" for table in sorted(lines))
    assert found.splitlines() == EXPECTED.read_text().splitlines()


async def test_every_foreign_key_has_an_index(database: str) -> None:
    assert [row[0] for row in await pool().fetch(UNINDEXED)] == []


async def test_the_application_cannot_change_what_is_written(database: str) -> None:
    for table, (insert, _) in ROWS.items():
        await pool().execute(insert)
        async with pool().acquire() as conn:
            await _refused(conn, await _attempts(table), *REFUSED)
        assert await pool().fetchval(f"select count(*) from {table}") == 1


async def test_the_application_deletes_nothing_that_rows_without_a_foreign_key_name(database: str) -> None:
    named = ("accounts", "balances", "decision_actions", "orders", "positions", "fills", "instruments", "currencies")
    async with pool().acquire() as conn:
        await _refused(conn, [f"delete from {table}" for table in named], asyncpg.InsufficientPrivilegeError)


async def test_the_triggers_stop_even_the_owner(database: str) -> None:
    for table, (insert, _) in ROWS.items():
        await pool().execute(insert)
        async with connection(database) as owner:
            await _refused(owner, await _attempts(table), asyncpg.RestrictViolationError)
        assert await pool().fetchval(f"select count(*) from {table}") == 1


async def test_the_application_cannot_switch_the_triggers_off(database: str) -> None:
    attempts = (
        "alter table ledger disable trigger all",
        "drop trigger ledger_append_only on ledger",
        "set session_replication_role = replica",
        "drop table ledger",
        "update desk set mode = 'REPLAY'",
    )
    async with pool().acquire() as conn:
        await _refused(conn, attempts, asyncpg.InsufficientPrivilegeError)


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity"])
async def test_no_amount_is_infinite_or_no_number(database: str, value: str) -> None:
    with pytest.raises((asyncpg.CheckViolationError, asyncpg.NumericValueOutOfRangeError)):
        await pool().fetchval("select cast(cast($1 as text) as money8)", value)
