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
    description="A failing verdict that was set aside because it rested on void quotes. Run, account, verdict and "
    "evidence stay; the phase goes on with a new run on an account of its own."
)
class Reinstatement(FromRow, listing=REINSTATEMENTS):
    id: ID = field(description="Its number.")
    breach_id: ID = field(description="The breach that is the verdict's evidence.")
    reason: str = field(description="Why the verdict was set aside, as the client is told.")
    actor: str = field(description="Who did it: role and name of the bearer; for the firm's staff alone.")
    market_time: datetime = field(description="When the new run began, by the market's clock.")
    recorded_at: datetime = field(description="When it was written.")
    account_id: ID = field(description="The account of the run that failed.")
    new_account_id: ID = field(description="The account of the run that goes on.")
    differences_text: strawberry.Private[str]
    left_out_text: strawberry.Private[str]

    @computed("The figures of the new run that the failed run left otherwise, in the account's currency.")
    def differences(self) -> list[Difference]:
        return [Difference(**one) for one in json.loads(self.differences_text)]

    @computed("The fills of the failed run that the new one goes on without: dealt at void quotes, or closing such.")
    def left_out_fills(self) -> list[ID]:
        return [ID(ledger_id(int(self.account_id), seq) or "") for seq in json.loads(self.left_out_text)]


@strawberry.input(description="A failed challenge whose verdict rests on void quotes.")
class ReinstateChallengeInput:
    id: ID = field(description="The challenge.")
    reason: str = field(description=f"Why. {INTERNAL}")
    shown_reason: str | None = field(default=None, description=SHOWN)
    apply: bool = field(
        description="Whether the verdict is set aside; false only shows what the new run would begin with."
    )
    idempotency_key: str = field(
        description="A key of the caller's for this reinstatement: sent again, it is not done again."
    )


@strawberry.type(description="The challenge as it goes on, or what would differ if it did.")
class ReinstateChallengePayload(Payload):
    challenge: Annotated["Challenge", strawberry.lazy("schema.challenges")] | None = field(
        default=None, description="The challenge as it is now; null if it was refused."
    )
    reinstatement: Reinstatement | None = field(
        default=None, description="What was done; null for a preview, and if it was refused."
    )
    differences: list[Difference] = field(
        default_factory=list, description="The figures of the new run that the failed run left otherwise."
    )
    left_out_fills: list[ID] = field(
        default_factory=list,
        description="The fills that the new run goes on without: dealt at void quotes, or closing such.",
    )
