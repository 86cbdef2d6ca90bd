"""Buying a challenge, and the jobs that activate it: fee, deposit, start; each writes its successor."""

from domain.errors import InsufficientFunds, NotFound, ProgramNotAvailable, WalletMismatch
from domain.lifecycles import ChallengeStatus, ProgramStatus, PurchaseStatus, move
from domain.terms import TERMS_VERSION, Terms
from models import challenges, purchases, wallets
from models.challenges import ChallengeMove, PhaseMove
from services import accounts, programs, receipts, transfers
from services.owed import Job
from services.principals import Principal
from services.transfers import House, Wallet
from services.unit import Unit, plain


async def buy(principal: Principal, program_id: int, wallet_id: int, key: str) -> tuple[int, int]:
    """Sell the program to the wallet's client; answers the ids of purchase and challenge.

    Raises NotFound, ProgramNotAvailable, WalletMismatch or InsufficientFunds; then nothing is written.
    """
    content = {"programId": program_id, "walletId": wallet_id}
    async with plain() as work:
        if stored := await receipts.claim(work, principal, "buyChallenge", key, content):
            return stored["purchase"], stored["challenge"]
        program = await purchases.lock_program(work.conn, program_id)
        if program is None or program["brand"] != principal.brand:
            raise NotFound("programId", program=program_id)
        if program["status"] != ProgramStatus.ACTIVE:
            raise ProgramNotAvailable("programId", status=ProgramStatus(program["status"]).name)
        frozen = await programs.freeze(work, program_id)
        await _reserve(work, principal, wallet_id, frozen[0])
        purchase_id, challenge_id = await _sell(work, principal, wallet_id, frozen)
        answer = {"purchase": purchase_id, "challenge": challenge_id}
        await receipts.keep(work, principal, "buyChallenge", key, answer)
    return purchase_id, challenge_id


async def _reserve(work: Unit, principal: Principal, wallet_id: int, terms: Terms) -> None:
    """Set the price aside on the client's wallet, so that two purchases cannot spend the same money."""
    wallet = await wallets.lock(work.conn, wallet_id)
    if wallet is None or wallet["brand"] != principal.brand or wallet["client"] != principal.subject:
        raise NotFound("walletId", wallet=wallet_id)
    if wallet["currency"] != terms.price_currency:
        raise WalletMismatch("walletId", price_in=terms.price_currency, wallet_in=wallet["currency"])
    free = wallet["cash"] - wallet["reserved"]
    if free < terms.price:
        raise InsufficientFunds("walletId", price=terms.price, free=free)
    await wallets.reserve(work.conn, wallet_id, terms.price)


async def _sell(work: Unit, principal: Principal, wallet_id: int, frozen: tuple[Terms, str, str]) -> tuple[int, int]:
    """Write the purchase, its challenge, and the first phase on a PENDING account; owe the fee's withdrawal."""
    terms, body, digest = frozen
    brand, client = principal.brand, principal.subject
    assert brand, "only clients buy"
    assert client, "and they have a name"
    await challenges.keep_terms(work.conn, digest, TERMS_VERSION, body)
    purchase_id = await purchases.insert(
        work.conn,
        brand=brand,
        client=client,
        wallet_id=wallet_id,
        program_id=terms.program_id,
        terms_hash=digest,
        price=terms.price,
        currency=terms.price_currency,
        at=work.now,
    )
    challenge_id = await challenges.insert(
        work.conn,
        brand=brand,
        client=client,
        purchase_id=purchase_id,
        program_id=terms.program_id,
        terms_hash=digest,
        at=work.now,
    )
    phase = terms.phase(1)
    held = await accounts.open_for_phase(work, brand, client, challenge_id, phase)
    await challenges.insert_phase(
        work.conn,
        challenge_id=challenge_id,
        index=1,
        kind=phase.type,
        account_id=held.account.id,
        status=ChallengeStatus.ACTIVE,
        initial_balance=phase.group.deposit,
    )
    await challenges.point_at(work.conn, challenge_id, 1, held.account.id)
    work.owe("withdraw_fee", brand=brand, challenge_id=challenge_id, account_id=held.account.id)
    return purchase_id, challenge_id


async def _advance(work: Unit, job: Job, expected: PurchaseStatus, target: PurchaseStatus, event: str) -> str | None:
    """Move the job's purchase on; answers why not, where its cause is gone."""
    assert job.challenge_id, "the job of a purchase has its challenge"
    card = await challenges.card(work.conn, job.challenge_id)
    status = PurchaseStatus(card["purchase_status"])
    if status is not expected or card["status"] != ChallengeStatus.ACTIVE:
        return f"the purchase is {status.name} and its challenge {ChallengeStatus(card['status']).name}"
    await purchases.move(work.conn, card["purchase_id"], move("purchase", status, target), work.now)
    payload = {"purchase": card["purchase_id"], "account": job.account_id}
    work.emit(event, brand=job.brand, challenge_id=job.challenge_id, payload=payload)
    return None


async def withdraw_fee(work: Unit, job: Job) -> str:
    """PENDING to PAID: the reserved price goes from the wallet to the firm's treasury."""
    gone = await _advance(work, job, PurchaseStatus.PENDING, PurchaseStatus.PAID, "prop.purchase.paid")
    if gone:
        return gone
    assert job.challenge_id
    card = await challenges.card(work.conn, job.challenge_id)
    if card["price"] > 0:
        await wallets.lock(work.conn, card["wallet_id"])
        await wallets.reserve(work.conn, card["wallet_id"], -card["price"])
        await transfers.move(
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
    work.owe("deposit", brand=job.brand, challenge_id=job.challenge_id, account_id=job.account_id)
    return "fee taken" if card["price"] > 0 else "nothing to pay"


async def deposit(work: Unit, job: Job) -> str:
    """PAID to ACCOUNT_CREATED: the first account gets its initial balance."""
    event = "prop.purchase.account_created"
    if gone := await _advance(work, job, PurchaseStatus.PAID, PurchaseStatus.ACCOUNT_CREATED, event):
        return gone
    assert job.account_id
    await accounts.fund(work, work.hold(job.account_id))
    work.owe("start_account", brand=job.brand, challenge_id=job.challenge_id, account_id=job.account_id)
    return "deposited"


async def start_account(work: Unit, job: Job) -> str:
    """ACCOUNT_CREATED to ACTIVE: the account starts and its phase begins."""
    event = "prop.purchase.active"
    if gone := await _advance(work, job, PurchaseStatus.ACCOUNT_CREATED, PurchaseStatus.ACTIVE, event):
        return gone
    assert job.account_id and job.challenge_id
    held = work.hold(job.account_id)
    terms, phase_id = held.stored.terms, held.stored.phase_id
    assert terms and phase_id, "the first phase was made with the purchase"
    await accounts.start(work, held, phase_id=phase_id, challenge_id=job.challenge_id, phase=terms.phase(1))
    payload = {"account": job.account_id, "phase_index": 1}
    work.emit("prop.challenge.started", brand=job.brand, challenge_id=job.challenge_id, payload=payload)
    return "started"


async def fail(work: Unit, job: Job, reason: str) -> None:
    """An activation that cannot go on: purchase FAILED, challenge CANCELLED, account LOCKED; a reservation ends."""
    assert job.challenge_id and job.account_id
    card = await challenges.card(work.conn, job.challenge_id)
    status = PurchaseStatus(card["purchase_status"])
    if status not in (PurchaseStatus.PENDING, PurchaseStatus.PAID, PurchaseStatus.ACCOUNT_CREATED):
        return
    if status is PurchaseStatus.PENDING:
        await wallets.lock(work.conn, card["wallet_id"])
        await wallets.reserve(work.conn, card["wallet_id"], -card["price"])
    target = move("purchase", status, PurchaseStatus.FAILED)
    await purchases.move(work.conn, card["purchase_id"], target, work.now, reason)
    held = work.hold(job.account_id)
    accounts.lock(work, held, reason)
    assert held.stored.phase_id
    cancelled = ChallengeStatus.CANCELLED
    work.moves.phases.append(PhaseMove(held.stored.phase_id, cancelled, work.now, "ACTIVATION_FAILED"))
    work.moves.challenges.append(ChallengeMove(job.challenge_id, cancelled, work.now, "ACTIVATION_FAILED"))
    for name in ("prop.purchase.failed", "prop.challenge.cancelled"):
        payload = {"purchase": card["purchase_id"], "reason": reason}
        work.emit(name, brand=job.brand, challenge_id=job.challenge_id, payload=payload)
