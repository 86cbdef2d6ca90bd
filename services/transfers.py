"""Transfers: cash moves in pairs of legs that share a transfer number, so that no money is created."""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import TypeAlias

from domain import days
from domain.accounts import Account
from domain.errors import InsufficientFunds
from domain.ledger import Facts, Kind
from models import wallets
from models.wallets import Leg
from services.unit_of_work.unit import UnitOfWork


@dataclass(frozen=True, slots=True)
class Wallet:
    id: int


@dataclass(frozen=True, slots=True)
class House:
    purpose: str  # TREASURY, EXTERNAL, CAPITAL or PAYOUT_HOLD


@dataclass(frozen=True, slots=True)
class AccountHolder:
    id: int


Holder = Wallet | House | AccountHolder

Settle: TypeAlias = Callable[[Account, Decimal], Account]
"""The effect of a transfer's amount (negative if paid) on an account's other figures."""

LEDGER_KIND = {"DEPOSIT": Kind.DEPOSIT, "PAYOUT_PROFIT": Kind.PAYOUT, "ADJUSTMENT": Kind.ADJUSTMENT}
_RANK = {AccountHolder: 0, Wallet: 1, House: 2}


async def transfer(
    work: UnitOfWork,
    *,
    brand: str,
    kind: str,
    money: str,
    currency: str,
    source: Holder,
    target: Holder,
    amount: Decimal,
    cause: str,
    facts: Facts | None = None,
    settle: Settle = days.transfer,
) -> int:
    """Transfer `amount` (positive) from source to target; return the transfer's number. `money` is REAL or SYNTHETIC.

    An account must be locked by the unit of work; it gets a ledger row with the `facts`, and `settle` returns it with
    the figures that follow from its new cash and the signed amount. Raises InsufficientFunds if a wallet's free cash is
    too low.
    """
    assert amount > 0, "direction is in the holders, not in the sign"
    number = await wallets.next_transfer(work.conn, brand)
    legs = []
    # In the order of locks: accounts, wallets, house accounts.
    for holder, delta in sorted(((source, -amount), (target, amount)), key=lambda leg: _RANK[type(leg[0])]):
        if isinstance(holder, AccountHolder):
            named = _book_account(work, holder, delta, LEDGER_KIND[kind], {"cause": cause} | (facts or {}), settle)
        else:
            named = await _book(work, holder, delta, brand, currency)
        legs.append(Leg(number, brand, kind, money, currency, delta, cause, work.now, **named))
    assert sum(leg.amount for leg in legs) == 0, "money is moved, never made"
    await wallets.insert_legs(work.conn, legs)
    return number


async def _book(work: UnitOfWork, holder: Wallet | House, delta: Decimal, brand: str, currency: str) -> dict[str, int]:
    """Change the holder's cash; return the holder's name in a leg."""
    if isinstance(holder, House):
        return {"house_account_id": await wallets.add_to_house(work.conn, brand, currency, holder.purpose, delta)}
    if not await wallets.add_cash(work.conn, holder.id, delta):
        raise InsufficientFunds("walletId", needed=-delta)
    return {"wallet_id": holder.id}


def _book_account(
    work: UnitOfWork, holder: AccountHolder, delta: Decimal, kind: Kind, facts: Facts, settle: Settle
) -> dict[str, int]:
    """Change the account's cash with a ledger row; return the account's name in a leg.

    The leg names the ledger row, and the row does not name the transfer: transfer numbers have gaps after a killed
    process, and ledgers must be reproducible.
    """
    held = work.locked_account(holder.id)
    booked = work.journal.append(held.account, kind, work.now, work.batch, facts, delta)
    held.account = settle(booked, delta)
    return {"account_id": holder.id, "account_seq": held.account.seq}
