"""Challenges, their metrics and breaches."""

from typing import Annotated

import strawberry
from strawberry import ID

from schema.arguments import Filter, Id
from schema.challenges import Breach, Challenge, ChallengeFilter, Metric
from schema.context import Info
from schema.filters import filters_of
from schema.ids import number
from schema.paging import After, Connection, First, FirstLong, one, read, window
from schema.permissions import query
from services.principals import Role
from services.views.lists import CHALLENGES

READERS = (Role.ADMIN, Role.MANAGER, Role.CLIENT, Role.TRADER)

ChallengeId = Annotated[ID, strawberry.argument(description="The challenge.")]


@strawberry.type
class ChallengeQuery:
    @query("Challenges, newest first.", *READERS)
    async def challenges(
        self, info: Info, first: First = 20, after: After = None, which: Filter[ChallengeFilter] = None
    ) -> Connection[Challenge]:
        return await read(info, CHALLENGES, window(CHALLENGES, first, after), filters_of(which))

    @query("A challenge; null if there is none of this id.", *READERS)
    async def challenge(self, info: Info, key: Id) -> Challenge | None:
        return await one(info, CHALLENGES, number(key))

    @query("A challenge's snapshots, newest first; null if there is no such challenge.", *READERS)
    async def challenge_metrics(
        self, info: Info, challenge_id: ChallengeId, first: FirstLong = 20, after: After = None
    ) -> Connection[Metric] | None:
        challenge: Challenge | None = await one(info, CHALLENGES, number(challenge_id))
        return await challenge.metrics(info, first, after) if challenge else None

    @query("A challenge's breaches, newest first; null if there is no such challenge.", *READERS)
    async def challenge_breaches(
        self, info: Info, challenge_id: ChallengeId, first: FirstLong = 20, after: After = None
    ) -> Connection[Breach] | None:
        challenge: Challenge | None = await one(info, CHALLENGES, number(challenge_id))
        return await challenge.breaches(info, first, after) if challenge else None
