"""Checks that compute accounts again from what is stored: ledger chains, holdings, marks."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import asyncpg

from domain.accounts import Account
from domain.fills import exact_fee
from domain.instruments import Catalogue
from domain.ledger import GENESIS, chain
from domain.lifecycles import FillStatus
from domain.money import ZERO, plain, round8
from domain.orders import Fill
from domain.positions import Position
from domain.quotes import Market, Quote
from domain.replay import Replay, replay
from domain.terms import Policy
from domain.valuation import symbols_that_move, unrealised
from models import accounts, quarantine, quotes
from models.checks import reading
from models.sql import Connection


class Violation(NamedTuple):
    """A violation: the check, the object that is wrong, and how it is wrong."""

    check: str
    subject: str
    message: str


async def ledgers_are_intact(conn: Connection, ids: Sequence[int]) -> list[Violation]:
    """Check that each ledger's seq has no gap, balances add up, hashes chain, and the account's row has the newest of
    each.
    """
    found: list[Violation] = []
    heads = await reading.ledger_heads(conn, ids)
    last = dict.fromkeys(heads, (0, GENESIS, ZERO))
    async for row in reading.iterate_ledger(conn, ids):
        account = row["account_id"]
        found += [_ledger(f"account {account} seq {row['seq']}", told) for told in _breaks(last[account], row)]
        last[account] = row["seq"], row["hash"], row["balance_after"]
    for account, (seq, head, cash) in last.items():
        kept = heads[account]
        if (kept["seq"], kept["head"], kept["cash"]) != (seq, head, cash):
            told = f"its row says seq {kept['seq']}, cash {plain(kept['cash'])}, head {kept['head'].hex()[:16]}"
            ends = f"the ledger ends at seq {seq}, cash {plain(cash)}, head {head.hex()[:16]}"
            found.append(_ledger(f"account {account}", f"{told}; {ends}"))
    return found


def _ledger(subject: str, message: str) -> Violation:
    return Violation("ledgers are intact", subject, message)


def _breaks(before: tuple[int, bytes, object], row: asyncpg.Record) -> list[str]:
    """Return what is wrong with a row that follows (seq, hash, balance)."""
    seq, head, balance = before
    told = []
    if row["seq"] != seq + 1:
        told.append(f"follows seq {seq}")
    if row["balance_after"] != balance + row["amount"]:
        told.append(f"balance {plain(row['balance_after'])} is not the one before + {plain(row['amount'])}")
    digest = chain(
        head,
        row["account_id"],
        row["seq"],
        row["kind"],
        row["amount"],
        row["balance_after"],
        row["market_time"],
        row["batch"],
        json.loads(row["facts"]),
    )
    if digest != row["hash"]:
        told.append(f"its hash is not that of its content after seq {seq}")
    return told


async def positions_are_their_fills(conn: Connection, ids: Sequence[int]) -> list[Violation]:
    """Check that replaying an account's booked fills gives the stored profit, fee and position of each.

    Fees are those of the account's policy. Only a correction leaves a position without a fill, and it is empty.
    """
    policies = {one.account.id: one.account.policy for one in (await accounts.load_accounts(conn, ids)).loaded}
    kept, corrected = await reading.positions_by_account(conn, ids), await reading.corrected_accounts(conn, ids)
    fills: dict[int, list[Fill]] = {account: [] for account in policies}
    async for fill in reading.iterate_fills(conn, ids):
        if fill.account in fills:
            fills[fill.account].append(fill)
    found = []
    for account, of_account in fills.items():
        booked = [fill for fill in of_account if fill.status is FillStatus.BOOKED]
        replayed = replay(booked, policies[account].fee_bps)
        found += [
            Violation("positions are their fills", *told) for told in _fills(of_account, replayed, policies[account])
        ]
        found += [
            Violation("positions are their fills", f"position {account}-{seq}", told)
            for seq in kept[account].keys() | replayed.positions.keys()
            if (told := _position(kept[account].get(seq), replayed.positions.get(seq), account in corrected))
        ]
    return found


def _fills(fills: Sequence[Fill], replayed: Replay, policy: Policy) -> Iterator[tuple[str, str]]:
    """Return the fills whose figures do not follow from their prices, and how they differ."""
    again = {fill.seq: fill for fill in replayed.fills}
    for fill in replayed.uncovered:
        yield f"fill {fill.account}-{fill.seq}", f"closes {plain(fill.quantity)}, which is more than was open"
    for fill in fills:
        name, now = f"fill {fill.account}-{fill.seq}", again.get(fill.seq, fill)
        taken = now.fee
        if not fill.cumulative:
            taken = round8(exact_fee(fill.quantity, fill.price, fill.rate, policy.fee_bps))
        if fill.fee != taken:
            yield name, f"took a fee of {plain(fill.fee)}, by its policy it is {plain(taken)}"
        if (fill.realised, fill.position_seq) != (now.realised, now.position_seq):
            booked = f"realised {plain(fill.realised)} on position {fill.position_seq}"
            yield name, f"{booked}, replayed {plain(now.realised)} on position {now.position_seq}"


def _position(kept: Position | None, replayed: Position | None, corrected: bool) -> str | None:
    """Return how a stored position differs from its fills."""
    if kept is None:
        return "has fills and is missing"
    if replayed is None:
        empty = not (kept.quantity or kept.cost_basis or kept.realised or kept.fees)
        return None if empty and corrected else f"has no fills, and is kept as {_told(kept)}"
    return None if kept == replayed else f"is kept as {_told(kept)}; its fills give {_told(replayed)}"


def _told(position: Position) -> str:
    held = f"{position.side} {plain(position.quantity)} {position.symbol} that cost {plain(position.cost_basis)}"
    since = (
        f"from {position.opened_at.isoformat()} to {position.closed_at.isoformat() if position.closed_at else 'now'}"
    )
    return f"{held}, earned {plain(position.realised)} less {plain(position.fees)}, {since}"


async def accounts_can_be_read(conn: Connection, ids: Sequence[int]) -> list[Violation]:
    """Check that this version can read policy, terms, positions and orders of every account."""
    read = await accounts.load_accounts(conn, ids)
    return [Violation("accounts can be read", f"account {u.account_id}", str(u.refusal)) for u in read.unreadable]


async def no_account_is_in_quarantine(conn: Connection, ids: Sequence[int]) -> list[Violation]:
    """Check that every account can be brought to the newest batch; a quarantined account has old figures."""
    return [
        Violation(
            "no account is in quarantine",
            f"account {one.account_id}",
            f"cannot be marked since {one.entered_at.isoformat()}: {one.error}: {one.message}",
        )
        for one in (await quarantine.entries_of_accounts(conn, ids)).values()
    ]


async def marks_are_exact(conn: Connection, ids: Sequence[int]) -> list[Violation]:
    """Check that unrealised profit is that of the open positions at the quotes of the account's marked batch.

    All quotes that may convert are read, since only they show which pair converted.
    """
    catalogue = await quotes.read_catalogue(conn)
    every = [one.account for one in (await accounts.load_accounts(conn, ids)).loaded]
    wanted = {account.id: symbols_that_move(account, catalogue, {}) for account in every}
    pairs = [(symbol, account.marked_through) for account in every for symbol in wanted[account.id]]
    seen = await reading.quotes_at(conn, pairs)
    found = []
    for account in every:
        market = {symbol: seen.get((symbol, account.marked_through)) for symbol in wanted[account.id]}
        if told := _mark(account, market, catalogue):
            found.append(Violation("marks are exact", f"account {account.id}", told))
    return found


def _is_priced(symbol: str, account: Account, market: Market, catalogue: Catalogue) -> bool:
    """Return whether the market has a price of the instrument and a rate into the account's currency."""
    quote_currency = catalogue.instruments[symbol].quote_currency
    return symbol in market and catalogue.rate(quote_currency, account.currency, market) is not None


def _mark(account: Account, market: Mapping[str, Quote | None], catalogue: Catalogue) -> str | None:
    """Return what is wrong with an account's unrealised profit, or None."""
    known = {symbol: quote for symbol, quote in market.items() if quote is not None}
    if missing := [symbol for symbol, _ in account.positions if not _is_priced(symbol, account, known, catalogue)]:
        return f"holds positions, and no quote prices {', '.join(missing)} up to batch {account.marked_through}"
    exact = unrealised(account, known, catalogue)
    if exact == account.unrealised:
        return None
    return f"unrealised is {plain(account.unrealised)}, at batch {account.marked_through} it was {plain(exact)}"
