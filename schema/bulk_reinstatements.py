"""Bulk reinstatements: jobs set aside every verdict that rested on void quotes of a time span."""

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
    "Outcome for one challenge of a bulk reinstatement.",
    PENDING="Not decided yet.",
    REINSTATED="The verdict is set aside and the challenge goes on.",
    REFUSED="The verdict stands; `code` gives the reason.",
)

Outcomes = Annotated[
    list[BulkOutcome] | None, strawberry.argument(description="Only challenges with one of these outcomes.")
]


@strawberry.type(description="A challenge affected by the void quotes, with its outcome.")
class BulkResult(FromRow, listing=BULK_RESULTS):
    challenge_id: ID = field(description="Challenge id.")
    outcome: BulkOutcome = field(description="Outcome for the challenge.")
    code: str | None = field(description="Error code of the refusal; null if not refused.")
    message: str | None = field(description="Reason for the refusal, in plain words; null if not refused.")
    decided_at: datetime | None = field(description="Time of the decision; null while pending.")

    @computed("Challenge in its current state.")
    async def challenge(self, info: Info) -> Challenge | None:
        return await read_one(info, CHALLENGES, int(self.challenge_id))


@strawberry.type(
    description="A request to set aside every verdict that rested on void quotes of a time span. Jobs decide one "
    "challenge after the other and continue after an interruption."
)
class BulkReinstatement(FromRow, listing=BULK_REINSTATEMENTS):
    id: ID = field(description="Id of the bulk reinstatement.")
    brand: str | None = field(description="Brand whose challenges are included; null for all brands.")
    symbol: str = field(description="Instrument symbol of the void quotes.")
    source_from: datetime = field(description="Start of the span of source times, inclusive.")
    source_before: datetime = field(description="End of the span of source times, exclusive.")
    actor: str = field(description="Role and name of the person or token that made the request.")
    reason: str = field(description="Internal reason, visible to the firm's staff only.")
    recorded_at: datetime = field(description="Time of the request.")
    hit: int = field(description="Number of challenges affected.")
    pending: int = field(description="Number of affected challenges not decided yet.")
    reinstated: int = field(description="Number of affected challenges that go on.")
    refused: int = field(description="Number of affected challenges whose verdict stands.")

    @computed("Affected challenges with their outcomes, sorted by challenge number.")
    async def results(
        self, info: Info, outcome: Outcomes = None, first: FirstLong = 20, after: After = None
    ) -> Connection[BulkResult]:
        filters = () if outcome is None else (("outcome", (tuple(one.value for one in outcome),)),)
        request = page_request(BULK_RESULTS, first, after, most=LONG)
        return await read_owned_page(info, BULK_RESULTS, ("bulk", int(self.id)), request, filters)


@strawberry.input(description="Span of void quotes of one instrument whose verdicts are to be set aside.")
class ReinstateChallengesInput:
    symbol: str = field(description="Instrument symbol.")
    source_from: datetime = field(description="Start of the span of source times, inclusive.")
    source_before: datetime = field(description="End of the span of source times, exclusive.")
    reason: str = field(description=f"Reason. {INTERNAL}")
    shown_reason: str | None = field(default=None, description=SHOWN)
    idempotency_key: str = field(
        description="Idempotency key. Repeating key and content starts no second reinstatement."
    )


@strawberry.type(description="Result of requesting a bulk reinstatement; query `bulkReinstatement` for its progress.")
class ReinstateChallengesPayload(Payload):
    bulk_reinstatement: BulkReinstatement | None = field(
        default=None, description="Bulk reinstatement; null if refused."
    )
