"""Sales: a purchase is written under frozen terms; its challenge begins once its payment is certain."""

from dataclasses import dataclass
from datetime import datetime

from config.settings import settings
from domain.errors import NotFound, ProgramNotAvailable, TooManyChallenges
from domain.lifecycles import ProgramStatus, PurchaseStatus
from domain.terms import Terms
from models import challenges, name_locks, purchases
from models import terms as term_rows
from models.purchases import OpenCounts
from models.tables.purchases import Purchase
from services import accounts, programs
from services.principals import Principal, Role
from services.unit_of_work.unit import UnitOfWork

Frozen = tuple[Terms, str, str]
"""Terms, their canonical text, and its sha256."""


@dataclass(frozen=True, slots=True)
class Buyer:
    brand: str
    client: str


@dataclass(frozen=True, slots=True)
class AwaitedFrom:
    """The source of an order's payment: a wallet, or outside under a reference until `expires_at`."""

    wallet_id: int | None = None
    reference: str | None = None
    expires_at: datetime | None = None


def require_buyer(principal: Principal) -> Buyer:
    """Return the client that a principal buys for. Raises Forbidden for any role but CLIENT."""
    principal.require(Role.CLIENT)
    brand, client = principal.brand, principal.subject
    assert brand, "a client belongs to a brand"
    assert client, "and has a name"
    return Buyer(brand, client)


async def take_share(work: UnitOfWork, buyer: Buyer, program_id: int) -> OpenCounts:
    """Check that the client may have another open challenge of the program; return what it has open.

    Its other sales wait until this one has committed, so that none is missed. An order paid from outside counts at
    once: the payment that begins its challenge is never refused for the limit. Raises TooManyChallenges.
    """
    await name_locks.lock_name(work.conn, f"sales to {buyer.client} of {buyer.brand}")
    share = await purchases.count_open(work.conn, buyer.brand, buyer.client, program_id)
    if share.program >= (most := settings().open_challenges_program_max):
        raise TooManyChallenges("programId", program=program_id, open=share.program, most=most)
    if share.client >= (most := settings().open_challenges_client_max):
        raise TooManyChallenges(None, open=share.client, most=most)
    return share


async def lock_program(work: UnitOfWork, brand: str, program_id: int) -> Frozen:
    """Lock the program against edits and freeze its terms. Raises NotFound, ProgramNotAvailable."""
    program = await purchases.lock_program(work.conn, program_id)
    if program is None or program["brand"] != brand:
        raise NotFound("programId", program=program_id)
    if program["status"] != ProgramStatus.ACTIVE:
        raise ProgramNotAvailable("programId", program=program_id)
    return await programs.freeze_terms(work, program_id)


async def write_purchase(work: UnitOfWork, buyer: Buyer, frozen: Frozen, payment: AwaitedFrom) -> int:
    """Write a PENDING purchase and its terms; return its id."""
    terms, body, digest = frozen
    await challenges.insert_terms(work.conn, digest, terms, body)
    purchase = await Purchase.create(
        brand_id=buyer.brand,
        client=buyer.client,
        wallet_id=payment.wallet_id,
        program_id=terms.program_id,
        terms_id=digest,
        price=terms.price,
        currency_id=terms.price_currency,
        status=PurchaseStatus.PENDING,
        created_at=work.now,
        updated_at=work.now,
        payment_reference=payment.reference,
        expires_at=payment.expires_at,
    )
    return int(purchase.id)


async def begin_challenge(work: UnitOfWork, buyer: Buyer, purchase_id: int, digest: str) -> tuple[int, int]:
    """Write the challenge of a purchase: every phase, the first one on a PENDING account.

    Return the ids of challenge and account. Raises TermsUnreadable.
    """
    terms = await term_rows.read_one_terms(work.conn, digest)
    challenge_id = await challenges.insert_challenge(
        work.conn,
        brand=buyer.brand,
        client=buyer.client,
        purchase_id=purchase_id,
        program_id=terms.program_id,
        terms_hash=digest,
        at=work.now,
    )
    opened = await accounts.open_for_phase(work, buyer.brand, buyer.client, challenge_id, terms.phase(1))
    await challenges.insert_phases(work.conn, challenge_id, terms.phases, opened.account.id)
    await challenges.set_current_phase(work.conn, challenge_id, 1, opened.account.id)
    return challenge_id, opened.account.id
