"""Voids and recomputations."""

from collections.abc import Sequence
from typing import TypeVar

import strawberry
from strawberry import ID, field

from schema.accounts import Account
from schema.differences import Difference
from schema.engine.errors import Missing
from schema.engine.ids import ledger_id, parse_ledger_id
from schema.inputs import INTERNAL, SHOWN
from schema.payloads import Payload
from services.corrections import Corrected, Name


@strawberry.input(description="Filled orders to be voided, with their fills.")
class VoidOrderInput:
    order_ids: list[ID] = field(description="1 to 250 orders of one account, voided together or not at all.")
    reason: str = field(description=f"Why. {INTERNAL}")
    shown_reason: str | None = field(default=None, description=f"{SHOWN} It stands on the ledger.")


@strawberry.input(description="Booked fills to be voided, with their orders.")
class VoidFillInput:
    fill_ids: list[ID] = field(description="1 to 250 fills of one account, voided together or not at all.")
    reason: str = field(description=f"Why. {INTERNAL}")
    shown_reason: str | None = field(default=None, description=f"{SHOWN} It stands on the ledger.")


@strawberry.input(description="An account to be computed again from its booked fills.")
class RecomputeAccountInput:
    account_id: ID = field(description="The account.")
    apply: bool = field(description="Whether what differs is corrected; false only shows it.")
    reason: str = field(description=f"Why. {INTERNAL}")
    shown_reason: str | None = field(default=None, description=f"{SHOWN} It stands on the ledger, with a correction.")


@strawberry.type(description="A corrected account.")
class CorrectionPayload(Payload):
    account: Account | None = field(default=None, description="The account as it is now; null if nothing was done.")
    correction_id: ID | None = field(
        default=None, description="The ledger row that corrects: account-seq; null if none was written."
    )
    differences: list[Difference] = field(default_factory=list, description="What was kept otherwise.")


@strawberry.type(description="The account without the voided orders.")
class VoidOrderPayload(CorrectionPayload): ...


@strawberry.type(description="The account without the voided fills.")
class VoidFillPayload(CorrectionPayload): ...


@strawberry.type(description="The account computed again.")
class RecomputeAccountPayload(CorrectionPayload): ...


Answer = TypeVar("Answer", bound=CorrectionPayload)


def names(ids: Sequence[ID], given: str) -> list[Name]:
    """Accounts and seqs of the ids in the input's field `given`. Raises Missing for text that is no object's."""
    found = []
    for place, text in enumerate(ids):
        one = parse_ledger_id(text)
        if one is None:
            raise Missing(f"There is no such object: {given}[{place}] {text[:64]!r}.")
        found.append(one)
    return found


def answered(kind: type[Answer], account: Account | None, corrected: Corrected) -> Answer:
    """What was done, as the mutation answers it."""
    return kind(
        account=account,
        correction_id=ledger_id(corrected.account_id, corrected.seq),
        differences=Difference.every(corrected.differences),
    )
