"""Cash moves in pairs that share a transfer number: money is moved, never made."""

from dataclasses import dataclass
from decimal import Decimal

from domain import days
from domain.errors import InsufficientFunds
from domain.ledger import Kind
from models import wallets
from models.wallets import Leg
from services.unit import Unit


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

LEDGER_KIND = {"DEPOSIT": Kind.DEPOSIT, "PAYOUT_PROFIT": Kind.PAYOUT}
_RANK = {AccountHolder: 0, Wallet: 1, House: 2}


async def move(
    work: Unit,
    *,
    brand: str,
    kind: str,
    money: str,
    currency: str,
    source: Holder,
    target: Holder,
    amount: Decimal,
    cause: str,
) -> int:
    """Move `amount` (positive) from source to target; answers the transfer's number.

    `money` is REAL or SYNTHETIC. An account must be held by the unit and gets a ledger row. Raises
    InsufficientFunds where a wallet's free cash does not cover it.
    """
    assert amount > 0, "direction is in the holders, not in the sign"
    number = await wallets.next_transfer(work.conn)
    legs = []
    # In the order of locks: accounts, wallets, house accounts.
    for holder, delta in sorted(((source, -amount), (target, amount)), key=lambda leg: _RANK[type(leg[0])]):
        named = await _book(work, holder, delta, brand, currency, kind, cause)
        legs.append(Leg(number, brand, kind, money, currency, delta, cause, work.now, **named))
    assert sum(leg.amount for leg in legs) == 0, "money is moved, never made"
    await wallets.insert(work.conn, legs)
    return number


async def _book(
    work: Unit, holder: Holder, delta: Decimal, brand: str, currency: str, kind: str, cause: str
) -> dict[str, int]:
    """Change the holder's cash; answers how a leg names it.

    The leg names the account's ledger row, not the row the transfer: numbers have gaps where a process was killed,
    and a ledger is to come out the same.
    """
    match holder:
        case Wallet():
            if not await wallets.add(work.conn, holder.id, delta):
                raise InsufficientFunds("walletId", needed=-delta)
            return {"wallet_id": holder.id}
        case House():
            return {"house_account_id": await wallets.add_to_house(work.conn, brand, currency, holder.purpose, delta)}
        case AccountHolder():
            held = work.hold(holder.id)
            booked = work.journal.append(held.account, LEDGER_KIND[kind], work.now, work.batch, {"cause": cause}, delta)
            held.account = days.transfer(booked, delta)
            return {"account_id": holder.id, "account_seq": held.account.seq}
