"""The jobs after a sale, each queueing the next: the fee is taken, the deposit made, the account started."""

from domain.lifecycles import ChallengeStatus, PurchaseStatus, move
from domain.reasons import Reason
from models import challenges, purchases, wallets
from services import accounts, transfers
from services.challenges import UNDER_WAY, call_off
from services.jobs.job import Job
from services.transfers import House, Wallet
from services.unit_of_work.unit import UnitOfWork


async def _advance(
    work: UnitOfWork,
    job: Job,
    expected: PurchaseStatus,
    target: PurchaseStatus,
    event: str,
    paid_from: str | None = None,
) -> str | None:
    """Move the job's purchase to its next status; return why not, if its reason is gone."""
    assert job.challenge_id, "the job of a purchase has its challenge"
    card = await challenges.read_challenge(work.conn, job.challenge_id)
    if card["purchase_id"] is None:
        return "the purchase has been deleted"
    status = PurchaseStatus(card["purchase_status"])
    if status is not expected or card["status"] != ChallengeStatus.ACTIVE:
        return f"the purchase is {status.name} and its challenge {ChallengeStatus(card['status']).name}"
    await purchases.set_purchase_status(
        work.conn, card["purchase_id"], move("purchase", status, target), work.now, paid_from=paid_from
    )
    payload = {"purchase": card["purchase_id"], "account": job.account_id}
    if paid_from:
        payload["paid_from"] = paid_from
    work.emit(event, brand=job.brand, challenge_id=job.challenge_id, payload=payload)
    return None


async def withdraw_fee(work: UnitOfWork, job: Job) -> str:
    """PENDING to PAID: transfer the reserved price from the wallet to the firm's treasury."""
    event = "prop.purchase.paid"
    if gone := await _advance(work, job, PurchaseStatus.PENDING, PurchaseStatus.PAID, event, "WALLET"):
        return gone
    assert job.challenge_id
    card = await challenges.read_challenge(work.conn, job.challenge_id)
    if card["price"] > 0:
        await wallets.lock_wallet(work.conn, card["wallet_id"])
        await wallets.add_reservation(work.conn, card["wallet_id"], -card["price"])
        await transfers.transfer(
            work,
            brand=job.brand,
            kind="FEE",
            money="REAL",
            currency=card["price_currency"],
            source=Wallet(card["wallet_id"]),
            target=House("TREASURY"),
            amount=card["price"],
            cause=f"purchase {card['purchase_id']} fee",
        )
    work.enqueue("deposit", brand=job.brand, challenge_id=job.challenge_id, account_id=job.account_id)
    return "fee taken" if card["price"] > 0 else "nothing to pay"


async def deposit_balance(work: UnitOfWork, job: Job) -> str:
    """PAID to ACCOUNT_CREATED: deposit the first account's initial balance."""
    event = "prop.purchase.account_created"
    if gone := await _advance(work, job, PurchaseStatus.PAID, PurchaseStatus.ACCOUNT_CREATED, event):
        return gone
    assert job.account_id
    await accounts.fund_account(work, work.locked_account(job.account_id))
    work.enqueue("start_account", brand=job.brand, challenge_id=job.challenge_id, account_id=job.account_id)
    return "deposited"


async def start_account(work: UnitOfWork, job: Job) -> str:
    """ACCOUNT_CREATED to ACTIVE: start the account and its phase."""
    event = "prop.purchase.active"
    if gone := await _advance(work, job, PurchaseStatus.ACCOUNT_CREATED, PurchaseStatus.ACTIVE, event):
        return gone
    assert job.account_id and job.challenge_id
    held = work.locked_account(job.account_id)
    terms, phase_id = held.stored.terms, held.stored.phase_id
    assert terms and phase_id, "the first phase was made with the purchase"
    await accounts.start_phase(work, held, phase_id=phase_id, challenge_id=job.challenge_id, phase=terms.phase(1))
    payload = {"account": job.account_id, "phase_index": 1}
    work.emit("prop.challenge.started", brand=job.brand, challenge_id=job.challenge_id, payload=payload)
    return "started"


async def give_up(work: UnitOfWork, job: Job, reason: str) -> None:
    """End a failed activation: purchase FAILED, challenge CANCELLED, account LOCKED, reservation released."""
    assert job.challenge_id
    card = await challenges.read_challenge(work.conn, job.challenge_id)
    if card["purchase_id"] is not None and PurchaseStatus(card["purchase_status"]) in UNDER_WAY:
        await call_off(work, job.challenge_id, "ACTIVATION_FAILED", Reason(reason))
