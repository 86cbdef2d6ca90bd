"""The context of a request that every resolver gets: the bearer, the limits, and loaders that read in batches."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Hashable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Protocol

import strawberry
from strawberry.dataloader import DataLoader

from domain.errors import AccountQuarantined, AccountUnreadable, NoMarket, TooManyActions
from domain.execution import Moment
from domain.limit_progress import Progress
from domain.payouts import Criterion, no_phase
from domain.snapshots import Snapshot
from domain.terms import Terms
from schema.engine.document_limits import DocumentLimits
from schema.engine.errors import Unauthenticated
from schema.engine.time_slices import TimeSlices
from services import clocks, decision_context, quarantine, snapshots
from services.decision_context import AccountContext
from services.futures import mark_retrieved
from services.principals import Principal, Role
from services.quarantine import QuarantineEntry
from services.snapshots import Present
from services.views import eligibility, lists, progress, terms
from services.views.events import Cursor, Event, EventFilter
from services.views.lists import Filters, Listing, ListPage, PageRequest, Row, RowCount
from services.views.present import MOVING, with_present_figures
from services.views.ticks import Watched


class EventSource(Protocol):
    """A source of live events."""

    def subscribe(self, principal: Principal, wanted: EventFilter, after: Cursor | None) -> AsyncIterator[Event]:
        """Yield the events that the principal may see and wants, once each and in order, after the cursor if any."""
        ...

    def changes(self, watched: Watched) -> AsyncIterator[None]:
        """Yield at once, and again after each change of the watched objects; several changes may be one."""
        ...


class Loaders:
    """Loaders that read the rows for the same field of many objects in one statement.

    Figures that move with the market belong to one moment until `renew`, so the fields of one answer agree.
    """

    def __init__(self, principal: Principal, slices: TimeSlices) -> None:
        self.principal = principal
        self._slices = slices
        self._loaders: dict[Any, DataLoader[Any, Any]] = {}
        self._moment: asyncio.Future[Moment] | None = None
        self.revalues = False  # whether rows are revalued at the moment: those of one object and its relations are

    def _of_account(
        self, kind: tuple[Any, ...], account_id: int, load: Callable[[list[Any]], Awaitable[dict[Any, Any]]]
    ) -> Any:
        """Load a value that is derived from an account. Raises AccountUnreadable, AccountQuarantined."""

        async def each(keys: list[int]) -> dict[int, Any]:
            values = await load(keys)
            return {one: values[one] if one in values else AccountUnreadable(None, account=one) for one in keys}

        return self._load(kind, account_id, each)

    def renew(self) -> None:
        """Forget the moment and all rows: a mutation wrote something, or a subscription has its next event."""
        self._moment = None
        self._loaders.clear()

    async def moment(self) -> Moment:
        """Return the moment at which this answer is valued. Raises NoMarket."""
        if self._moment is None:
            self._moment = asyncio.ensure_future(snapshots.newest_moment())
            self._moment.add_done_callback(mark_retrieved)
        return await asyncio.shield(self._moment)

    async def present(self, account_id: int) -> Present:
        """Return the account at the answer's moment. Raises NoMarket, AccountUnreadable, AccountQuarantined."""
        moment = await self.moment()
        present: Present | None = await self._load(
            ("present",), account_id, lambda keys: snapshots.present_accounts(keys, moment), cache=True
        )
        if present is None:
            raise AccountUnreadable(None, account=account_id)
        return present

    def must_revalue(self, listing: Listing) -> bool:
        """Return whether rows of this listing move with the market and this answer revalues rows."""
        return self.revalues and listing in MOVING

    async def _revalued(self, listing: Listing, row: Row) -> Row:
        """Return the row with its figures at the moment; unchanged if the account has none."""
        if not self.must_revalue(listing):
            return row
        account_id = MOVING[listing].account(row)
        if account_id is None:
            return row
        try:
            return with_present_figures(listing, row, await self.present(account_id))
        except (NoMarket, AccountUnreadable, AccountQuarantined):
            return row

    async def _load(
        self,
        kind: tuple[Any, ...],
        key: Any,
        load: Callable[[list[Any]], Awaitable[dict[Any, Any]]],
        *,
        cache: bool = False,
    ) -> Any:
        """Load the value of a key. Fields wait for one common read and go on in slices of the event loop's time."""
        loader = self._loaders.get(kind)
        if loader is None:

            async def in_order(keys: list[Any]) -> list[Any]:
                values = await load(list(dict.fromkeys(keys)))
                return [values.get(one) for one in keys]

            loader = self._loaders[kind] = DataLoader(in_order, cache=cache)
        answer = await loader.load(key)
        if self._slices.is_over():
            who = self.principal
            await self._slices.wait((who.token_id, who.brand, who.name))
        return answer

    async def row(self, listing: Listing, key: int | None) -> Row | None:
        """Return the row of this id; None for no id and for a row that the bearer may not see."""
        if key is None:
            return None
        row: Row | None = await self._load(
            ("row", listing), key, lambda keys: lists.rows_by_ids(self.principal, listing, "id", keys)
        )
        return row if row is None else await self._revalued(listing, row)

    async def page(
        self, listing: Listing, parent: str, key: int, window: PageRequest, filters: Filters = ()
    ) -> ListPage:
        """Return a page of the rows that one parent owns."""
        kind, who = ("page", listing, parent, filters, window), self.principal
        page: ListPage = await self._load(
            kind, key, lambda keys: lists.nested_pages(listing, parent, keys, filters, window, who)
        )
        return await self.revalued_page(listing, page)

    async def revalued_page(self, listing: Listing, page: ListPage) -> ListPage:
        """Return the page with its rows revalued, if this answer revalues rows of the listing."""
        if not self.must_revalue(listing):
            return page
        return replace(page, rows=await self.revalued_rows(listing, page.rows))

    async def revalued_rows(self, listing: Listing, rows: Sequence[Row]) -> list[Row]:
        """Return the rows, in their order, each with its figures at the answer's moment."""
        return await asyncio.gather(*(self._revalued(listing, row) for row in rows))

    async def count(self, listing: Listing, parent: str, key: int, filters: Filters = ()) -> RowCount:
        """Return the number of rows that one parent owns."""
        kind, who = ("count", listing, parent, filters), self.principal
        extent: RowCount = await self._load(
            kind, key, lambda keys: lists.nested_counts(listing, parent, keys, filters, who)
        )
        return extent

    async def progress(self, account_id: int) -> list[Progress]:
        """Return the progress on each rule of the phase on this account."""
        try:
            moment = await self.moment()
        except NoMarket:
            return []
        each_rule: list[Progress] = await self._of_account(
            ("progress",), account_id, lambda keys: progress.rule_progress(keys, moment)
        )
        return each_rule

    async def terms(self, digest: str) -> Terms:
        """Return the terms of this hash. Raises TermsUnreadable."""
        frozen: Terms = await self._load(("terms",), digest, terms.terms_by_hash)
        return frozen

    async def market_time(self) -> datetime:
        """Return the current market time, the same for all fields that wait for it together."""

        async def once(keys: list[None]) -> dict[None, datetime]:
            return dict.fromkeys(keys, await clocks.market_clock())

        time: datetime = await self._load(("market_time",), None, once)
        return time

    async def snapshot(self, account_id: int) -> Snapshot:
        """Return the account's snapshot at the answer's moment.

        Raises NoMarket, AccountUnreadable, AccountQuarantined.
        """
        return (await self.present(account_id)).snapshot

    async def context(self, account_id: int, symbols: tuple[str, ...] | None) -> AccountContext:
        """Return the decision context of the account for these instruments; None means all."""
        kind, moment = ("context", symbols), await self.moment()
        decided: AccountContext = await self._of_account(
            kind, account_id, lambda keys: decision_context.account_contexts(keys, symbols, moment)
        )
        return decided

    async def quarantine(self, account_id: int) -> QuarantineEntry | None:
        """Return the account's entry in quarantine; None if it is not in quarantine."""
        entry: QuarantineEntry | None = await self._load(("quarantine",), account_id, quarantine.entries_of_accounts)
        return entry

    async def eligibility(self, account_id: int | None) -> list[Criterion]:
        """Return the criteria of a payout of the phase on this account, met and unmet."""
        try:
            moment = await self.moment()
        except NoMarket:
            return no_phase()
        criteria: list[Criterion] | None = await self._load(
            ("eligibility",), account_id or 0, lambda keys: eligibility.payout_criteria(keys, moment)
        )
        return criteria or no_phase()


@dataclass(slots=True)
class Context:
    """The context of one HTTP request or of one websocket operation."""

    events: EventSource
    bearer: Principal | None = None
    connection_params: dict[str, object] | None = None  # the payload of a websocket's connection_init
    authorization: str | None = None  # the header of a websocket's handshake
    address: str = ""  # of the client
    limits: DocumentLimits = field(default_factory=DocumentLimits)
    allows_introspection: bool = True  # and errors suggest similar names of the schema
    fast_lists: bool = True  # whether lists take the fast path (`schema/engine/fast_lists`)
    thread_seconds: float = 0.0  # of processor time that other threads have spent on the request
    actions: int = 0  # decision actions that the request's fields have proposed so far
    cost: int = 0  # of the operation, in fields, once its document is checked
    confirm_bearer: Callable[[], Awaitable[None]] | None = None
    """Looks the bearer up again if it came from the cache; called before anything is written or answered."""
    reserve_answer: Callable[[int], None] = field(default=lambda _fields: None)
    """Reserves memory for an answer of so many fields. Raises RateLimited, Busy."""
    request_id: str = field(default_factory=lambda: secrets.token_hex(8))
    slices: TimeSlices = field(default_factory=TimeSlices)  # those of the process
    _loaders: Loaders | None = None

    @property
    def role(self) -> Role | None:
        """Return the role of the token; None without a token."""
        return self.bearer.role if self.bearer else None

    @property
    def principal(self) -> Principal:
        """Return the principal of the request. Raises Unauthenticated without a token."""
        return self.loaders.principal

    @property
    def client_key(self) -> Hashable:
        """Return the key under which work and bytes are counted: the bearer's, or the address without a token."""
        bearer = self.bearer
        return (bearer.token_id, bearer.brand, bearer.name) if bearer else self.address

    def count_actions(self, many: int) -> None:
        """Count a batch of decision actions. Raises TooManyActions above the limit of one document."""
        actions, most = self.actions + many, self.limits.actions
        if actions > most:
            raise TooManyActions("actions", actions_max=most, actions=actions)
        self.actions = actions

    def close(self) -> None:
        """Drop the loaders and their rows: the answer has been written."""
        self._loaders = None

    @property
    def loaders(self) -> Loaders:
        """Return the loaders. Raises Unauthenticated without a token."""
        if self._loaders is None:
            if self.bearer is None:
                raise Unauthenticated("Send a valid token: Authorization: Bearer <token>.")
            self._loaders = Loaders(replace(self.bearer, request=self.request_id), self.slices)
        return self._loaders


Info = strawberry.Info[Context, None]
