"""Voids and recomputations."""

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


CorrectionPayloadT = TypeVar("CorrectionPayloadT", bound=CorrectionPayload)


def ledger_names(ids: Sequence[ID], field: str) -> list[Name]:
    """Return account number and ledger number of each id of this input field. Raises Missing for any other text."""
    return [required_name(text, f"{field}[{place}]") for place, text in enumerate(ids)]


def correction_payload(
    kind: type[CorrectionPayloadT], account: Account | None, corrected: Corrected
) -> CorrectionPayloadT:
    """What was done, as the mutation answers it."""
    return kind(
        account=account,
        correction_id=ledger_id(corrected.account_id, corrected.seq),
        differences=Difference.every(corrected.differences),
    )
