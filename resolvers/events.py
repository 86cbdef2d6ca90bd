"""Subscriptions: events, which are sent without gaps, and ticks, of which only the newest is sent."""

from collections.abc import AsyncIterator
from typing import Annotated, Any

import strawberry
from strawberry import ID

from schema.accounts import Account
from schema.arguments import Filter
from schema.engine.errors import BadUserInput, CursorExpired, Missing
from schema.engine.ids import parse_cursor, parse_id, parse_ledger_id
from schema.engine.paging import After, read_one
from schema.engine.permissions import subscription
from schema.engine.request_context import Info
from schema.events import ChallengeEvent, ChallengeEventFilter, event_of
from schema.suspect_quotes import FeedEvent
from schema.ticks import ChallengeTick
from services.availability import availability
from services.principals import Role
from services.views import events
from services.views.events import BEGINNING, Cursor, EventFilter
from services.views.lists import ACCOUNTS, Listing
from services.views.ticks import TICKS, Watched

READERS = (Role.ADMIN, Role.MANAGER, Role.CLIENT, Role.TRADER)

ChallengeId = Annotated[ID, strawberry.argument(description="Challenge id.")]
AccountId = Annotated[ID, strawberry.argument(description="Account number.")]


@strawberry.type
class EventSubscription:
    @subscription(
        "Events of challenges, each once and in order, from a cursor on or from now on.",
        *READERS,
    )
    async def challenge_events(
        self, info: Info, where: Filter[ChallengeEventFilter] = None, after: After = None
    ) -> AsyncIterator[ChallengeEvent]:
        stream = info.context.events.subscribe(info.context.principal, _event_selection(where), _cursor(after))
        try:
            async for event in stream:
                info.context.loaders.renew()
                info.context.loaders.revalues = True
                yield event_of(event)
        except events.CursorExpired as expired:
            raise CursorExpired(str(expired)) from None

    @subscription(
        "Events about suspect quotes, each once and in order, from a cursor on or from now on. Quotes are shared, so "
        "managers of every brand receive them.",
        Role.ADMIN,
        Role.MANAGER,
        Role.FEED,
    )
    async def feed_events(self, info: Info, after: After = None) -> AsyncIterator[FeedEvent]:
        stream = info.context.events.subscribe(info.context.principal, EventFilter(of_desk=True), _feed_cursor(after))
        try:
            async for event in stream:
                yield FeedEvent.of(event)
        except events.CursorExpired as expired:
            raise CursorExpired(str(expired)) from None

    @subscription(
        "Current figures of a challenge, now and after every change, through all its phases. Only the newest figures "
        "are sent. Completes when the challenge has ended.",
        *READERS,
    )
    async def challenge_metrics(self, info: Info, challenge_id: ChallengeId) -> AsyncIterator[ChallengeTick]:
        async for tick in _newest(info, TICKS, ("challenge", parse_id(challenge_id) or 0)):
            yield tick

    @subscription(
        "An account, now and after every change. Only the newest state is sent. Completes when the account has ended.",
        *READERS,
    )
    async def account_updates(self, info: Info, account_id: AccountId) -> AsyncIterator[Account]:
        async for account in _newest(info, ACCOUNTS, ("account", parse_id(account_id) or 0)):
            yield account


async def _newest(info: Info, listing: Listing, watched: Watched) -> AsyncIterator[Any]:
    """Yield the object now and after each change, until it has ended or is gone. Raise Missing if it is not visible
    to the caller.
    """
    sent = False
    async for _ in info.context.events.changes(watched):
        info.context.loaders.renew()
        current: Any = await availability().outlast(lambda: read_one(info, listing, watched[1]))
        if current is None and not sent:
            raise Missing(f"There is no {watched[0]} with this id.")
        if current is None:
            return
        sent = True
        yield current
        if current.ended_at is not None:
            return


def _event_selection(where: ChallengeEventFilter | None) -> EventFilter:
    if where is None:
        return EventFilter()
    ids, names = where.challenge_ids, where.names
    return EventFilter(
        challenges=None if ids is None else frozenset(number for text in ids if (number := parse_id(text)) is not None),
        names=None if names is None else frozenset(names),
        client=where.client,
    )


def _cursor(text: str | None) -> Cursor | None:
    """Return the position named by `after`. Cursors of the first edition, positions among all brands' events, have
    expired.
    """
    if text is None:
        return None
    if text == "0":
        return BEGINNING
    if parse_id(text) is not None:
        raise CursorExpired(str(events.CursorExpired("after is a cursor of the first edition of Propdesk.")))
    place, epoch = parse_cursor(text)
    if (event := parse_ledger_id(place)) is None:
        raise BadUserInput('after must be the cursor of an event, or "0" for all events that are kept.')
    return Cursor(*event, epoch)


def _feed_cursor(text: str | None) -> Cursor | None:
    """Return the position named by `after` among the desk's own events."""
    if text is None or text == "0":
        return None if text is None else BEGINNING
    place, epoch = parse_cursor(text)
    if (of_desk := parse_id(place)) is None:
        raise BadUserInput('after must be the cursor of a feed event, or "0" for all events that are kept.')
    return Cursor(0, of_desk, epoch)
