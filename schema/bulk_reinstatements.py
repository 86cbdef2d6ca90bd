"""Bulk reinstatements: every verdict that rested on void quotes of a span, set aside by jobs."""

from datetime import datetime
from typing import Annotated

import strawberry
from strawberry import ID, field

from domain.reinstatements import BulkOutcome
from schema.challenges import Challenge
from schema.engine.computed_fields import computed
from schema.engine.enum_types import describe_enum
from schema.engine.paging import LONG, After, Connection, FirstLong, page_request, read_one, read_owned_page
from schema.engine.request_context import Info
from schema.engine.row_types import FromRow
from schema.inputs import INTERNAL, SHOWN
from schema.payloads import Payload
from services.views.lists import BULK_REINSTATEMENTS, BULK_RESULTS, CHALLENGES

describe_enum(
    BulkOutcome,
    "BulkOutcome",
    "What has become of a challenge of a bulk reinstatement.",
    PENDING="Still to be looked at.",
    REINSTATED="The verdict is set aside; the challenge goes on.",
    REFUSED="The verdict stands; the code says why.",
)

Outcomes = Annotated[list[BulkOutcome] | None, strawberry.argument(description="With one of these outcomes.")]


@strawberry.type(description="A challenge that was hit by the quotes, and what has become of it.")
class BulkResult(FromRow, listing=BULK_RESULTS):
    challenge_id: ID = field(description="The challenge.")
    outcome: BulkOutcome = field(description="What has become of it.")
    code: str | None = field(description="Why it was refused, as an error code; null if it was not.")
    message: str | None = field(description="The same for people.")
    decided_at: datetime | None = field(description="When it was decided; null while it is pending.")

    @computed("The challenge as it is now.")
    async def challenge(self, info: Info) -> Challenge | None:
        return await read_one(info, CHALLENGES, int(self.challenge_id))


@strawberry.type(
    description="An order to set aside every verdict that rested on void quotes of a span. One challenge after the "
    "other is looked at, by jobs; what was stopped goes on."
)
class BulkReinstatement(FromRow, listing=BULK_REINSTATEMENTS):
    id: ID = field(description="Its number.")
    brand: str | None = field(description="The brand whose challenges it is about; null for all brands.")
    symbol: str = field(description="The instrument.")
    source_from: datetime = field(description="The first source time of the span.")
    source_before: datetime = field(description="The first source time after the span.")
    actor: str = field(description="Who ordered it: role and name of the bearer.")
    reason: str = field(description="Why, as the firm knows it.")
    recorded_at: datetime = field(description="When it was ordered.")
    hit: int = field(description="Challenges that were hit.")
    pending: int = field(description="Of those, challenges that are still to be looked at.")
    reinstated: int = field(description="Of those, challenges that go on.")
    refused: int = field(description="Of those, challenges whose verdict stands.")

    @computed("The challenges that were hit, by number.")
    async def results(
        self, info: Info, outcome: Outcomes = None, first: FirstLong = 20, after: After = None
    ) -> Connection[BulkResult]:
        filters = () if outcome is None else (("outcome", (tuple(one.value for one in outcome),)),)
        request = page_request(BULK_RESULTS, first, after, most=LONG)
        return await read_owned_page(info, BULK_RESULTS, ("bulk", int(self.id)), request, filters)


@strawberry.input(description="Void quotes whose verdicts are to be set aside: those of one symbol in a span.")
class ReinstateChallengesInput:
    symbol: str = field(description="The instrument.")
    source_from: datetime = field(description="The first source time of the span.")
    source_before: datetime = field(description="The first source time after the span.")
    reason: str = field(description=f"Why. {INTERNAL}")
    shown_reason: str | None = field(default=None, description=SHOWN)
    idempotency_key: str = field(description="A key of the caller's for this order: sent again, it is not given again.")


@strawberry.type(description="The order; `bulkReinstatement` says how far it is.")
class ReinstateChallengesPayload(Payload):
    bulk_reinstatement: BulkReinstatement | None = field(
        default=None, description="The bulk reinstatement; null if it was refused."
    )
