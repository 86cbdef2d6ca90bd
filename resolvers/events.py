"""Subscriptions to events."""

from collections.abc import AsyncIterator

import strawberry

from schema.arguments import Filter
from schema.context import Info
from schema.errors import BadUserInput, CursorExpired
from schema.events import ChallengeEvent, ChallengeEventFilter, streamed
from schema.ids import INT64_MAX, number
from schema.paging import After
from schema.permissions import subscription
from services.principals import Role
from services.views import events
from services.views.events import Wanted


@strawberry.type
class EventSubscription:
    @subscription(
        "What happens to challenges, each event once and in order: everything after a cursor, or from now on.",
        Role.ADMIN,
        Role.MANAGER,
        Role.CLIENT,
        Role.TRADER,
    )
    async def challenge_events(
        self, info: Info, which: Filter[ChallengeEventFilter] = None, after: After = None
    ) -> AsyncIterator[ChallengeEvent]:
        found = info.context.events.subscribe(info.context.principal, _wanted(which), _position(after))
        try:
            async for event in found:
                yield streamed(event)
        except events.CursorExpired as expired:
            raise CursorExpired(str(expired)) from None


def _wanted(which: ChallengeEventFilter | None) -> Wanted:
    if which is None:
        return Wanted()
    ids, names = which.challenge_ids, which.names
    return Wanted(
        challenges=None if ids is None else frozenset(found for text in ids if (found := number(text)) is not None),
        names=None if names is None else frozenset(names),
        client=which.client,
    )


def _position(cursor: str | None) -> int | None:
    if cursor is None:
        return None
    if not (cursor.isascii() and cursor.isdigit() and len(cursor) <= 19 and int(cursor) <= INT64_MAX):
        raise BadUserInput("after is not a cursor of this stream.")
    return int(cursor)
