"""Payouts: a funded phase's profit leaves the account, and the trader's share reaches the wallet."""

from domain import payouts as domain
from domain.lifecycles import PayoutStatus, move
from domain.money import ZERO, plain
from domain.terms import PhaseTerms
from models import challenges, payouts, wallets
from services import transfers
from services.owed import Job
from services.transfers import AccountHolder, House, Wallet
from services.unit import Held, Unit


async def settle(work: Unit, held: Held, challenge_id: int, phase: PhaseTerms) -> None:
    """At the end of a funded phase: hold the whole profit and owe the payout, approved by the desk itself.

    Nothing is owed without a profit. The account is flat.
    """
    account = held.account
    profit = account.cash - phase.group.deposit
    if profit <= ZERO:
        return
    card = await challenges.card(work.conn, challenge_id)
    minor_units = work.catalogue.currencies[account.currency].minor_units
    amount, _ = domain.share(profit, phase.profit_split, minor_units)
    assert held.stored.phase_id
    payout_id = await payouts.insert(
        work.conn,
        brand=account.brand,
        challenge_id=challenge_id,
        phase_id=held.stored.phase_id,
        account_id=account.id,
        wallet_id=card["wallet_id"],
        status=PayoutStatus.APPROVED,
        currency=account.currency,
        profit=profit,
        split=phase.profit_split,
        amount=amount,
        at=work.now,
    )
    await transfers.move(
        work,
        brand=account.brand,
        kind="PAYOUT_PROFIT",
        money="SYNTHETIC",
        currency=account.currency,
        source=AccountHolder(account.id),
        target=House("PAYOUT_HOLD"),
        amount=profit,
        cause=f"payout {payout_id}",
    )
    payload = {"payout": payout_id, "account": account.id, "profit": plain(profit), "amount": plain(amount)}
    work.emit("prop.payout.approved", brand=account.brand, challenge_id=challenge_id, payload=payload)
    work.owe(
        "pay_payout",
        brand=account.brand,
        challenge_id=challenge_id,
        account_id=account.id,
        facts={"payout": payout_id},
    )


async def pay(work: Unit, job: Job) -> str:
    """APPROVED to PAID: the held profit returns to the firm's capital, the share goes to the client's wallet."""
    assert job.challenge_id
    payout = await payouts.lock(work.conn, job.facts["payout"])
    status = PayoutStatus(payout["status"])
    if status is not PayoutStatus.APPROVED:
        return f"the payout is {status.name}"
    move("payout", status, PayoutStatus.PAID)
    cause = f"payout {payout['id']}"
    if payout["amount"] > 0:
        wallet_id = await _wallet(work, payout["wallet_id"], payout["currency"])
        await transfers.move(
            work,
            brand=job.brand,
            kind="PAYOUT_SHARE",
            money="REAL",
            currency=payout["currency"],
            source=House("TREASURY"),
            target=Wallet(wallet_id),
            amount=payout["amount"],
            cause=cause,
        )
    await transfers.move(
        work,
        brand=job.brand,
        kind="PAYOUT_PROFIT",
        money="SYNTHETIC",
        currency=payout["currency"],
        source=House("PAYOUT_HOLD"),
        target=House("CAPITAL"),
        amount=payout["profit"],
        cause=cause,
    )
    await payouts.mark_paid(work.conn, payout["id"], work.now)
    payload = {"payout": payout["id"], "amount": plain(payout["amount"])}
    work.emit("prop.payout.paid", brand=job.brand, challenge_id=job.challenge_id, payload=payload)
    return "paid"


async def _wallet(work: Unit, wallet_id: int, currency: str) -> int:
    """The client's wallet in the payout's currency, locked; the one that paid the fee, if it is in that currency."""
    wallet = await wallets.lock(work.conn, wallet_id)
    assert wallet, "a purchase names a wallet that exists"
    if wallet["currency"] == currency:
        return wallet_id
    return await wallets.ensure(work.conn, wallet["brand"], wallet["client"], currency)
