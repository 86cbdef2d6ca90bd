"""Corrections: voided orders and fills, and recomputed accounts."""

from collections.abc import Sequence
from typing import TypeVar

import strawberry
from strawberry import ID, field

from schema.accounts import Account
from schema.arguments import required_name
from schema.differences import Difference
from schema.engine.ids import ledger_id
from schema.inputs import INTERNAL, SHOWN
from schema.payloads import Payload
from services.corrections import Correction, Name


@strawberry.input(description="Filled orders to void together with their fills.")
class VoidOrderInput:
    order_ids: list[ID] = field(description="1 to 250 order ids of one account. All are voided, or none.")
    reason: str = field(description=f"Reason. {INTERNAL}")
    shown_reason: str | None = field(default=None, description=f"{SHOWN} It is stored in the account's ledger.")


@strawberry.input(description="Booked fills to void together with their orders.")
class VoidFillInput:
    fill_ids: list[ID] = field(description="1 to 250 fill ids of one account. All are voided, or none.")
    reason: str = field(description=f"Reason. {INTERNAL}")
    shown_reason: str | None = field(default=None, description=f"{SHOWN} It is stored in the account's ledger.")


@strawberry.input(description="Account to recompute from its booked fills.")
class RecomputeAccountInput:
    account_id: ID = field(description="Account number.")
    apply: bool = field(description="True to correct the differences; false to return them without changing anything.")
    reason: str = field(description=f"Reason. {INTERNAL}")
    shown_reason: str | None = field(
        default=None, description=f"{SHOWN} It is stored in the account's ledger if a correction is made."
    )


@strawberry.type(description="Result of a correction.")
class CorrectionPayload(Payload):
    account: Account | None = field(default=None, description="Account after the request; null if refused.")
    correction_id: ID | None = field(
        default=None, description="Id of the correcting ledger row, `<account number>-<seq>`; null if none was written."
    )
    differences: list[Difference] = field(
        default_factory=list, description="Figures whose stored value differed from the computed one."
    )


@strawberry.type(description="Result of voiding orders: the account without them.")
class VoidOrderPayload(CorrectionPayload): ...


@strawberry.type(description="Result of voiding fills: the account without them.")
class VoidFillPayload(CorrectionPayload): ...


@strawberry.type(description="Result of recomputing an account.")
class RecomputeAccountPayload(CorrectionPayload): ...


CorrectionPayloadT = TypeVar("CorrectionPayloadT", bound=CorrectionPayload)


def ledger_names(ids: Sequence[ID], field: str) -> list[Name]:
    """Return account number and ledger number of each id in this input field. Raise Missing for any other text."""
    return [required_name(text, f"{field}[{place}]") for place, text in enumerate(ids)]


def correction_payload(
    kind: type[CorrectionPayloadT], account: Account | None, corrected: Correction
) -> CorrectionPayloadT:
    """Return the payload of this type for a correction."""
    return kind(
        account=account,
        correction_id=ledger_id(corrected.account_id, corrected.seq),
        differences=Difference.every(corrected.differences),
    )
