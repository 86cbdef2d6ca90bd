"""Root fields for challenges, their metrics and breaches."""

from typing import Annotated

import strawberry
from strawberry import ID

from resolvers.read_back import read_back
from schema.arguments import Filter, Id, Input, required
from schema.challenges import (
    Breach,
    CancelChallengeInput,
    CancelChallengePayload,
    Challenge,
    ChallengeCounters,
    ChallengeFilter,
    Metric,
)
from schema.engine.ids import parse_id
from schema.engine.paging import After, Connection, First, FirstLong, page_request, read_one, read_page
from schema.engine.permissions import mutation, query
from schema.engine.request_context import Info
from schema.filters import filters_of
from services import challenges
from services.principals import Role
from services.views import lists
from services.views.lists import CHALLENGES

READERS = (Role.ADMIN, Role.MANAGER, Role.CLIENT, Role.TRADER)

ChallengeId = Annotated[ID, strawberry.argument(description="Challenge id.")]


@strawberry.type
class ChallengeQuery:
    @query("Challenges, newest first within each brand.", *READERS)
    async def challenges(
        self, info: Info, first: First = 20, after: After = None, where: Filter[ChallengeFilter] = None
    ) -> Connection[Challenge]:
        return await read_page(info, CHALLENGES, page_request(CHALLENGES, first, after), filters_of(where))

    @query("Number of challenges in each state.", *READERS)
    async def challenge_counters(self, info: Info, where: Filter[ChallengeFilter] = None) -> ChallengeCounters:
        return ChallengeCounters.of(*await lists.count_by_status(info.context.principal, filters_of(where)))

    @query("Challenge with this id; null if it does not exist or the token may not read it.", *READERS)
    async def challenge(self, info: Info, key: Id) -> Challenge | None:
        return await read_one(info, CHALLENGES, parse_id(key))

    @query(
        "Snapshots of a challenge that are still kept, newest first; null if the challenge does not exist.", *READERS
    )
    async def challenge_metrics(
        self, info: Info, challenge_id: ChallengeId, first: FirstLong = 20, after: After = None
    ) -> Connection[Metric] | None:
        challenge: Challenge | None = await read_one(info, CHALLENGES, parse_id(challenge_id))
        return await challenge.metrics(info, first, after) if challenge else None

    @query("Breaches of a challenge, newest first; null if the challenge does not exist.", *READERS)
    async def challenge_breaches(
        self, info: Info, challenge_id: ChallengeId, first: FirstLong = 20, after: After = None
    ) -> Connection[Breach] | None:
        challenge: Challenge | None = await read_one(info, CHALLENGES, parse_id(challenge_id))
        return await challenge.breaches(info, first, after) if challenge else None


@strawberry.type
class ChallengeMutation:
    @mutation("Cancel a running challenge without a verdict.", Role.ADMIN, Role.MANAGER)
    async def cancel_challenge(self, info: Info, data: Input[CancelChallengeInput]) -> CancelChallengePayload:
        challenge_id = required(data.id, "id")
        await challenges.cancel_challenge(info.context.principal, challenge_id, data.reason, data.shown_reason)
        return CancelChallengePayload(challenge=await read_back(info, CHALLENGES, challenge_id))
