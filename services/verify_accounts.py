"""Accounts computed again from what is written: the chain of each ledger, the holdings, the marks."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from operator import attrgetter, itemgetter
from typing import NamedTuple

import asyncpg

from domain.accounts import Account
from domain.fills import deal
from domain.instruments import Catalogue
from domain.ledger import GENESIS, chain
from domain.money import ZERO, plain
from domain.orders import Verb
from domain.positions import Position, Side
from domain.quotes import Quote
from domain.valuation import symbols_that_move, unrealised
from models import accounts, quotes, verify
from models.sql import Connection


class Violation(NamedTuple):
    """What is wrong: the check that found it, the object it is wrong with, and how."""

    check: str
    subject: str
    message: str


async def ledgers_are_intact(conn: Connection, ids: Sequence[int]) -> list[Violation]:
    """seq runs from 1 without a gap, balances add up, hashes chain, and the account's row bears the last of each."""
    found: list[Violation] = []
    heads = await verify.heads(conn, ids)
    last = dict.fromkeys(heads, (0, GENESIS, ZERO))
    async for row in verify.ledger(conn, ids):
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
    """What is wrong with a row that follows (seq, hash, balance)."""
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
    """Booking a position's fills again gives each fill's fee and profit, and in the end the position."""
    found: list[Violation] = []
    fee_bps = {one.account.id: one.account.policy.fee_bps for one in await accounts.load(conn, ids)}
    folded: dict[tuple[int, int], Position] = {}
    async for row in verify.fills(conn, ids):
        key = row["account_id"], row["position_seq"]
        position = folded.get(key) or Position(key[1], row["symbol"], Side(row["side"]), row["filled_at"])
        folded[key], told = _book(position, row, fee_bps[key[0]])
        if told:
            found.append(_holding(f"fill {key[0]}-{row['seq']}", told))
    kept = await verify.positions(conn, ids)
    differences = {key: _difference(kept.get(key), folded.get(key)) for key in kept.keys() | folded.keys()}
    return found + [_holding(f"position {key[0]}-{key[1]}", told) for key, told in differences.items() if told]


def _holding(subject: str, message: str) -> Violation:
    return Violation("positions are their fills", subject, message)


def _book(position: Position, row: asyncpg.Record, fee_bps: Decimal) -> tuple[Position, str | None]:
    """The position after a booked fill, and what is wrong with the fill's own figures."""
    adds = Verb(row["verb"]).adds
    if (row["symbol"], row["side"]) != (position.symbol, position.side):
        return position, f"is of {row['side']} {row['symbol']}, its position of {position.side} {position.symbol}"
    if not adds and row["quantity"] > position.quantity:
        return position, f"closes {plain(row['quantity'])} where {plain(position.quantity)} is open"
    agreed = deal(position, adds=adds, quantity=row["quantity"], price=row["price"], rate=row["rate"], fee_bps=fee_bps)
    after = replace(agreed.after, realised=position.realised + row["realised"], fees=position.fees + row["fee"])
    if (row["realised"], row["fee"]) == (agreed.realised, agreed.fee):
        return after, None
    booked = f"booked {plain(row['realised'])} less {plain(row['fee'])}"
    return after, f"{booked}, its prices give {plain(agreed.realised)} less {plain(agreed.fee)}"


def _difference(kept: asyncpg.Record | None, folded: Position | None) -> str | None:
    """How a position as stored differs from its fills, if it does."""
    if kept is None:
        return "has fills and is missing"
    if folded is None:
        return "has no fills"
    figures = attrgetter("symbol", "side", "quantity", "cost_basis", "realised", "fees")(folded)
    if itemgetter("symbol", "side", "quantity", "cost_basis", "realised", "fees")(kept) == figures:
        return None
    stored = f"{kept['side']} {plain(kept['quantity'])} {kept['symbol']} that cost {plain(kept['cost_basis'])}"
    summed = f"{folded.side} {plain(folded.quantity)} {folded.symbol} that cost {plain(folded.cost_basis)}"
    earned = f"earned {plain(kept['realised'])} less {plain(kept['fees'])}"
    return f"holds {stored}, {earned}; its fills: {summed}, {plain(folded.realised)} less {plain(folded.fees)}"


async def marks_are_exact(conn: Connection, ids: Sequence[int]) -> list[Violation]:
    """Unrealised profit is that of the open positions at the quotes as of the batch the account is marked through."""
    catalogue = await quotes.catalogue(conn)
    every = [one.account for one in await accounts.load(conn, ids)]
    wanted = {account.id: symbols_that_move(account, catalogue) for account in every}
    pairs = [(symbol, account.marked_through) for account in every for symbol in wanted[account.id]]
    seen = await verify.quotes(conn, pairs)
    found = []
    for account in every:
        market = {symbol: seen.get((symbol, account.marked_through)) for symbol in wanted[account.id]}
        if told := _mark(account, market, catalogue):
            found.append(Violation("marks are exact", f"account {account.id}", told))
    return found


def _mark(account: Account, market: Mapping[str, Quote | None], catalogue: Catalogue) -> str | None:
    """What is wrong with an account's unrealised profit, if something is."""
    known = {symbol: quote for symbol, quote in market.items() if quote is not None}
    if missing := market.keys() - known.keys():
        return f"holds positions, and there is no quote of {', '.join(missing)} up to batch {account.marked_through}"
    exact = unrealised(account, known, catalogue)
    if exact == account.unrealised:
        return None
    return f"unrealised is {plain(account.unrealised)}, at batch {account.marked_through} it was {plain(exact)}"
