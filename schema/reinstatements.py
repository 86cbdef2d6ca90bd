"""Reinstatements: verdicts set aside because they rested on void quotes."""

import json
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import strawberry
from strawberry import ID, field

from schema.differences import Difference
from schema.engine.computed_fields import computed
from schema.engine.ids import ledger_id
from schema.engine.row_types import FromRow
from schema.inputs import INTERNAL, SHOWN
from schema.payloads import Payload
from services.views.lists import REINSTATEMENTS

if TYPE_CHECKING:
    from schema.challenges import Challenge


@strawberry.type(
    description="A failing verdict that was set aside because it rested on void quotes. The failed run keeps its "
    "account, verdict and evidence; the phase goes on with a new run on a new account."
)
class Reinstatement(FromRow, listing=REINSTATEMENTS):
    id: ID = field(description="Reinstatement id.")
    breach_id: ID = field(description="Breach that was the evidence of the verdict.")
    reason: str = field(description="Reason, as shown to the client.")
    actor: str = field(description="Role and name of who set the verdict aside; visible to staff only.")
    market_time: datetime = field(description="Market time at which the new run began.")
    recorded_at: datetime = field(description="Time at which the reinstatement was written.")
    account_id: ID = field(description="Account of the failed run.")
    new_account_id: ID = field(description="Account of the new run.")
    differences_text: strawberry.Private[str]
    left_out_text: strawberry.Private[str]

    @computed("Figures of the new run that differ from those of the failed run, in the account's currency.")
    def differences(self) -> list[Difference]:
        return [Difference(**one) for one in json.loads(self.differences_text)]

    @computed(
        "Ids of fills of the failed run that the new run leaves out: fills at void quotes, and fills that closed such "
        "positions."
    )
    def left_out_fills(self) -> list[ID]:
        return [ID(ledger_id(int(self.account_id), seq) or "") for seq in json.loads(self.left_out_text)]


@strawberry.input(description="Failed challenge whose verdict rests on void quotes.")
class ReinstateChallengeInput:
    id: ID = field(description="Challenge id.")
    reason: str = field(description=f"Reason. {INTERNAL}")
    shown_reason: str | None = field(default=None, description=SHOWN)
    apply: bool = field(
        description="True to set the verdict aside; false to return what the new run would begin with, without "
        "changing anything."
    )
    idempotency_key: str = field(description="Idempotency key. Repeating key and content reinstates nothing more.")


@strawberry.type(description="Result of reinstating a challenge, or its preview.")
class ReinstateChallengePayload(Payload):
    challenge: Annotated["Challenge", strawberry.lazy("schema.challenges")] | None = field(
        default=None, description="Challenge after the request; null if refused."
    )
    reinstatement: Reinstatement | None = field(
        default=None, description="Reinstatement; null for a preview, and if the request was refused."
    )
    differences: list[Difference] = field(
        default_factory=list,
        description="Figures of the new run that differ from those of the failed run, in the account's currency.",
    )
    left_out_fills: list[ID] = field(
        default_factory=list,
        description="Ids of fills that the new run leaves out: fills at void quotes, and fills that closed such "
        "positions.",
    )
