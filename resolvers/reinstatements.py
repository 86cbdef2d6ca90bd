"""Root fields for reinstatements: setting aside verdicts that rested on void quotes."""

import strawberry
from strawberry import ID

from domain.voids import Span
from resolvers.read_back import read_back
from schema.arguments import Id, Input, required
from schema.bulk_reinstatements import BulkReinstatement, ReinstateChallengesInput, ReinstateChallengesPayload
from schema.differences import Difference
from schema.engine.ids import parse_id
from schema.engine.paging import After, Connection, First, page_request, read_one, read_page
from schema.engine.permissions import mutation, query
from schema.engine.request_context import Info
from schema.reinstatements import ReinstateChallengeInput, ReinstateChallengePayload
from services import bulk_reinstatements, reinstatements
from services.principals import Role
from services.views.lists import BULK_REINSTATEMENTS, CHALLENGES, REINSTATEMENTS

STAFF = (Role.ADMIN, Role.MANAGER)


@strawberry.type
class ReinstatementQuery:
    @query("Bulk reinstatements, newest first within each brand.", *STAFF)
    async def bulk_reinstatements(
        self, info: Info, first: First = 20, after: After = None
    ) -> Connection[BulkReinstatement]:
        return await read_page(info, BULK_REINSTATEMENTS, page_request(BULK_REINSTATEMENTS, first, after))

    @query(
        "Bulk reinstatement with this id and its progress; null if it does not exist or the token may not read it.",
        *STAFF,
    )
    async def bulk_reinstatement(self, info: Info, key: Id) -> BulkReinstatement | None:
        return await read_one(info, BULK_REINSTATEMENTS, parse_id(key))


@strawberry.type
class ReinstatementMutation:
    @mutation(
        "Set aside every verdict of the token's brand, or of all brands for an ADMIN, that rests on void quotes of a "
        "time span. Jobs process one challenge after the other. `challengesHit` lists the challenges beforehand, "
        "`bulkReinstatement` returns the progress.",
        *STAFF,
    )
    async def reinstate_challenges(
        self, info: Info, data: Input[ReinstateChallengesInput]
    ) -> ReinstateChallengesPayload:
        span = Span(data.symbol, data.source_from, data.source_before)
        bulk = await bulk_reinstatements.order_reinstatements(
            info.context.principal, span, data.reason, data.idempotency_key, data.shown_reason
        )
        return ReinstateChallengesPayload(bulk_reinstatement=await read_back(info, BULK_REINSTATEMENTS, bulk))

    @mutation(
        "Set aside the verdict on a failed challenge, because it rests on void quotes. Its phase goes on with a new "
        "run, recomputed without the void quotes.",
        *STAFF,
    )
    async def reinstate_challenge(self, info: Info, data: Input[ReinstateChallengeInput]) -> ReinstateChallengePayload:
        challenge_id = required(data.id, "id")
        done = await reinstatements.reinstate(
            info.context.principal,
            challenge_id,
            data.reason,
            data.idempotency_key,
            apply=data.apply,
            shown=data.shown_reason,
        )
        reinstatement = done.reinstatement_id
        return ReinstateChallengePayload(
            challenge=await read_back(info, CHALLENGES, challenge_id),
            reinstatement=None if reinstatement is None else await read_back(info, REINSTATEMENTS, reinstatement),
            differences=Difference.every(done.differences),
            left_out_fills=[ID(name) for name in done.left_out],
        )
