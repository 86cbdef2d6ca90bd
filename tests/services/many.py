"""A desk with many rows of everything, written by SQL: two brands, of which one has all but a few rows."""

from typing import Any

import asyncpg

from config.database import connection

ROWS = 20_000
"""Of each table: many times what a statement may look at in these tests."""
BIG, SMALL = "acme", "tiny"
WHALE, RARE = "whale", "rarely-seen"
"""A client with half of all rows, and one with the three oldest."""

# Every row is of the big brand, but for every thousandth; the oldest three are the rare ones. $1: how many rows.
BASE = """
insert into brands (name, title, number_prefix) values ('acme', 'Acme', 0), ('tiny', 'Tiny', 7);
insert into instruments (symbol, base_currency, quote_currency, price_precision, quantity_step, quantity_min)
  values ('EURUSD', 'EUR', 'USD', 5, 1, 1), ('RAREUSD', 'EUR', 'USD', 5, 1, 1);
insert into terms (hash, version, body) values ('h', 1, '{"phases": []}');
insert into account_groups (id, brand, name, kind, currency, default_deposit, policy)
  values (1, 'acme', 'DEMO', 'DEMO', 'USD', 1, '{}'), (2, 'tiny', 'DEMO', 'DEMO', 'USD', 1, '{}');
insert into audit_heads (chain, seq, head) values ('acme', 1, ''), ('tiny', 1, ''), ('', 1, '');
insert into house_accounts (id, brand, currency, purpose)
  select p.n + case b when 'acme' then 0 else 4 end, b, 'USD', p.purpose from unnest('{acme,tiny}'::text[]) b
  cross join unnest('{TREASURY,EXTERNAL,CAPITAL,PAYOUT_HOLD}'::text[]) with ordinality p (purpose, n)
"""
BRAND = "case when s % 1000 = 0 then 'tiny' else 'acme' end"


def _rare(oldest: str, other: str) -> str:
    """Return one value for the three oldest rows, and another for all others."""
    return f"case when s <= 3 then {oldest} else {other} end"


CLIENT = "case when s <= 3 then 'rarely-seen' when s % 2 = 0 then 'whale' else 'client-' || s end"
STATUS = _rare("4", "3")
AT = "timestamptz '2026-01-01' + s * interval '1 minute'"
FILLED = {
    "programs": f"""(brand, name, price, price_currency, status, sort_index, created_at)
      select {BRAND}, {_rare("'Phoenix rare'", "'Program ' || s")}, 1, 'USD',
        {_rare("0", "1")}, -s, {AT}""",
    "wallets": f"""(brand, client, currency)
      select {BRAND}, {CLIENT} || '/' || s, {_rare("'EUR'", "'USD'")}""",
    "purchases": f"""(brand, client, wallet_id, program_id, terms_hash, price, currency, status, paid_from,
        external_reference, tags, created_at, updated_at)
      select {BRAND}, {CLIENT}, s, {_rare("1", "4")}, 'h', 1, 'USD', {STATUS}, 'WALLET',
        {_rare("'Special-77'", "'INV-' || s")},
        {_rare("array['vip']", "array['plain']")}, {AT}, now()""",
    "challenges": f"""(brand, client, purchase_id, program_id, terms_hash, status, account_id, created_at, ended_at)
      select {BRAND}, {CLIENT}, s, {_rare("1", "4")}, 'h', {STATUS}, 100000 + s, {AT}, now()""",
    "challenge_phases": f"""(challenge_id, phase_index, phase_type, account_id, status, initial_balance)
      select s, 1, {_rare("1", "0")}, 100000 + s, 3, 1""",
    "accounts": f"""(brand, challenge_id, group_name, mode, status, owner, clone, parent_id, currency, policy,
        starting_balance, created_at)
      select {BRAND}, s, {_rare("'RAREGROUP'", "'DEMO'")},
        {_rare("'RACE'", "'EVALUATION'")}, {_rare("'LOCKED'", "'COMPLETED'")}, {CLIENT},
        {_rare("'rarebot'", "'bot'")}, {_rare("100001", "100004")}, 'USD', '{{}}', 1,
        {AT}""",
    "balances": "(account_id, head) select 100000 + s, ''",
    "transfers": f"""(transfer, brand, kind, money, wallet_id, house_account_id, account_id, account_seq, currency,
        amount, cause, market_time, recorded_at)
      select s, {BRAND}, {_rare("'REFUND'", "'FEE'")}, {_rare("'SYNTHETIC'", "'REAL'")},
        case when s % 3 = 0 then s / 3000 + 1 end, case when s % 3 = 1 then {_rare("2", "1")} end,
        case when s % 3 = 2 then {_rare("100002", "100005")} end, case when s % 3 = 2 then 1 end,
        {_rare("'EUR'", "'USD'")}, 1, '', {AT}, {AT}""",
    "payouts": f"""(brand, challenge_id, phase_id, account_id, wallet_id, status, currency, profit, split, amount, day,
        created_at, decided_at)
      select {BRAND}, s, s, 100000 + s, {_rare("1", "4")},
        {_rare("'CANCELLED'", "'REJECTED'")}, {_rare("'EUR'", "'USD'")}, 1, 1, 1, 1, {AT},
        now()""",
    "jobs": f"""(brand, kind, status, challenge_id, account_id)
      select {BRAND}, {_rare("'rare'", "'deposit'")}, {_rare("'DEAD'", "'DONE'")}, s,
        100000 + s""",
    "audit": f"""(chain, seq, actor, role, operation, object_kind, object_id, reason, before, after, request_id,
        recorded_at, hash)
      select {BRAND}, s, {_rare("'manager:rare'", "'manager:mona'")}, 'MANAGER',
        {_rare("'rare'", "'lockAccount'")}, {_rare("'rare'", "'account'")},
        {_rare("'x'", "s::text")}, '', '{{}}', '{{}}', 'r' || s, {AT}, ''""",
    "tokens": f"""(brand, role, name, subject, prefix, hash, revoked_at)
      select {BRAND}, {_rare("'TRADER'", "'CLIENT'")}, 't', 'c', 'p', int8send(s),
        {_rare("null", "now()")}""",
    "quotes": f"""(batch, symbol, bid, ask, source_time)
      select s, {_rare("'RAREUSD'", "'EURUSD'")}, 1, 1, {AT}""",
    "bulk_results": f"""(bulk_id, challenge_id, outcome, code, decided_at)
      select 1, s, {_rare("'REFUSED'", "'REINSTATED'")}, {_rare("'X'", "null")}, now()""",
    "currencies": "(code, minor_units, par) select 'X' || s, 2, 'USD'",
    "latest_quotes": "(symbol, batch, bid, ask, source_time) select 'S' || s, s, 1, 1, now()",
    "events": f"""(position, brand_position, brand, challenge_id, number, client, name, payload, market_time,
        recorded_at)
      select s, s, {BRAND}, 1, s, {CLIENT}, {_rare("'rare'", "'plain'")}, '{{}}', now(), now()""",
    "breaches": """(challenge_id, phase_id, account_id, rule, consequence, day, day_date, market_time, batch, "limit",
        floor, observed, headroom, derivation, ledger_seq, ledger_hash, terms_hash)
      select 1, 1, 100001, 'r', 'WARN', s, now(), now(), 1, 1, 1, 1, 1, '{}', 1, '', 'h'""",
    "days": """(phase_id, number, date, start_balance, start_equity, balance, equity, low, high, traded, ends_at,
        closed)
      select 1, s, now(), 1, 1, 1, 1, 1, 1, true, now(), true""",
    "metrics": """(challenge_id, phase_id, account_id, market_time, batch, balance, equity, day_start_balance,
        day_start_equity, day_low, day_high, peak_equity)
      select 1, 1, 100001, now(), s, 1, 1, 1, 1, 1, 1, 1""",
    "ledger": f"""(account_id, seq, kind, amount, balance_after, market_time, batch, facts, hash)
      select 100001, s, {_rare("'deposit'", "'fill'")}, 0, 0, {AT}, s, '{{}}', ''""",
    "decision_actions": f"""(account_id, seq, run, action_id, content, status, refusal, market_time, batch)
      select 100001, s, {_rare("'rare'", "'r'")}, 'a' || s,
        case when s <= 3 then '{{"symbol": "RAREUSD"}}' else '{{"symbol": "EURUSD"}}' end::jsonb,
        {_rare("'REJECTED'", "'EXECUTED'")}, case when s <= 3 then '{{"code": "RARE"}}'::jsonb end, {AT}, s""",
    "orders": f"""(account_id, seq, symbol, side, verb, quantity, status, reason, placed_at, batch, type, price,
        ended_at)
      select 100001, s, {_rare("'RAREUSD'", "'EURUSD'")}, {_rare("'SHORT'", "'LONG'")},
        {_rare("'CLOSE'", "'OPEN'")}, 1, {_rare("'VOID'", "'FILLED'")}, '', {AT}, s,
        {_rare("'LIMIT'", "'MARKET'")}, case when s <= 3 then 1 end, now()""",
    "positions": f"""(account_id, seq, symbol, side, status, quantity, cost_basis, opened_at)
      select 100001, s, {_rare("'RAREUSD'", "'EURUSD'")}, {_rare("'SHORT'", "'LONG'")},
        case when s = 1 then 'OPEN' else 'CLOSED' end, case when s = 1 then 1 else 0 end, 0, {AT}""",
    "fills": f"""(account_id, seq, order_seq, position_seq, symbol, side, verb, status, quantity, price, fee, rate,
        realised, filled_at, batch, quote_time)
      select 100001, s, s, s, {_rare("'RAREUSD'", "'EURUSD'")}, {_rare("'SHORT'", "'LONG'")},
        {_rare("'CLOSE'", "'OPEN'")}, {_rare("'VOID'", "'BOOKED'")}, 1, 1, 0, 1, 0, {AT}, s,
        now()""",
}  # fmt: skip
"""By table its columns and the select of its rows from `s`."""


async def fill(url: str, rows: int = ROWS) -> None:
    """Write so many rows into every table that a list reads. References are not checked."""
    async with connection(url) as owner:
        await owner.execute("set session_replication_role = replica")
        await owner.execute(BASE)
        for table, text in FILLED.items():
            await _write(owner, table, text, rows)
        await owner.execute("vacuum analyze")


NUMBERED = {
    "programs", "wallets", "purchases", "challenges", "challenge_phases", "accounts", "transfers", "payouts", "jobs",
    "audit", "tokens", "breaches",
}  # fmt: skip
"""Tables whose rows have numbers, which no trigger gives them here."""


async def _write(owner: asyncpg.Connection, table: str, text: str, rows: int) -> None:
    if table in NUMBERED:
        number = "100000 + s" if table == "accounts" else "s"
        text = text.replace("(", "(id, ", 1).replace("select ", f"select {number}, ", 1)
    await owner.execute(f"insert into {table} {text} from generate_series(1::bigint, {rows}) s")


def examined(plan: dict[str, Any]) -> float:
    """Return how many rows and entries of indexes a plan, as explained, has looked at."""
    below = sum(examined(part) for part in plan.get("Plans", ()))
    if "Scan" not in plan["Node Type"] or plan["Node Type"] in ("Subquery Scan", "CTE Scan", "Function Scan"):
        return below
    removed = plan.get("Rows Removed by Filter", 0) + plan.get("Rows Removed by Index Recheck", 0)
    here: float = (plan["Actual Rows"] + removed) * plan["Actual Loops"]
    return here + below
