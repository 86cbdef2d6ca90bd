"""What a resolver finds beside its arguments: who asks, and how to read without asking twice for each row."""

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
from services.decision_context import Decided
from services.futures import mark_retrieved
from services.principals import Principal, Role
from services.quarantine import Entry
from services.snapshots import Present
from services.views import eligibility, lists, progress, terms
from services.views.events import Cursor, Event, Wanted
from services.views.lists import Extent, Filters, Listing, Page, Row, Window
from services.views.present import MOVING, brought
from services.views.ticks import Watched


class EventSource(Protocol):
    """Where live events come from."""

    def subscribe(self, principal: Principal, wanted: Wanted, after: Cursor | None) -> AsyncIterator[Event]:
        """What the principal may have and wants, each event once and in order: after a cursor, or from now on."""
        ...

    def changes(self, watched: Watched) -> AsyncIterator[None]:
        """Yields at once, and again whenever what is watched has changed since, however often that was."""
        ...


class Loaders:
    """Reads what the fields of many rows ask for in one statement. The next step reads rows anew.

    Figures that move with the market are those of one moment, until `renew`: no two fields of one answer disagree.
    """

    def __init__(self, principal: Principal, slices: TimeSlices) -> None:
        self.principal = principal
        self._slices = slices
        self._made: dict[Any, DataLoader[Any, Any]] = {}
        self._moment: asyncio.Future[Moment] | None = None
        self.brings = False  # rows to the moment: for one object and its relations; a list is read as it is written

    def _of_account(
        self, kind: tuple[Any, ...], account_id: int, load: Callable[[list[Any]], Awaitable[dict[Any, Any]]]
    ) -> Any:
        """What is made from an account as the fold reads it. Raises AccountUnreadable, AccountQuarantined."""

        async def each(keys: list[int]) -> dict[int, Any]:
            found = await load(keys)
            return {one: found[one] if one in found else AccountUnreadable(None, account=one) for one in keys}

        return self._load(kind, account_id, each)

    def renew(self) -> None:
        """Read on at the market of now: something was written, or the next event of a subscription has come."""
        self._moment = None
        self._made.clear()

    async def moment(self) -> Moment:
        """The moment of this answer. Raises NoMarket."""
        if self._moment is None:
            self._moment = asyncio.ensure_future(snapshots.now())
            self._moment.add_done_callback(mark_retrieved)
        return await asyncio.shield(self._moment)

    async def present(self, account_id: int) -> Present:
        """The account at the moment of this answer. Raises NoMarket, AccountUnreadable, AccountQuarantined."""
        moment = await self.moment()
        found: Present | None = await self._load(
            ("present",), account_id, lambda keys: snapshots.presents(keys, moment), cache=True
        )
        if found is None:
            raise AccountUnreadable(None, account=account_id)
        return found

    def is_to_bring(self, listing: Listing) -> bool:
        """Do the rows of this listing move with the market, and are they to be brought to the moment?"""
        return self.brings and listing in MOVING

    async def _brought(self, listing: Listing, row: Row) -> Row:
        """The row, with its figures of the moment where they move."""
        if not self.is_to_bring(listing):
            return row
        account_id = MOVING[listing].account(row)
        if account_id is None:
            return row
        try:
            return brought(listing, row, await self.present(account_id))
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
        """What is read for the key. Many fields wait for one reading, and go on in slices of the event loop's time."""
        loader = self._made.get(kind)
        if loader is None:

            async def in_order(keys: list[Any]) -> list[Any]:
                found = await load(list(dict.fromkeys(keys)))
                return [found.get(one) for one in keys]

            loader = self._made[kind] = DataLoader(in_order, cache=cache)
        answer = await loader.load(key)
        if self._slices.is_over():
            who = self.principal
            await self._slices.next((who.token_id, who.brand, who.name))
        return answer

    async def row(self, listing: Listing, key: int | None) -> Row | None:
        """The row of this id; None for no id, and for what is not in sight."""
        if key is None:
            return None
        row: Row | None = await self._load(
            ("row", listing), key, lambda keys: lists.by_ids(self.principal, listing, "id", keys)
        )
        return row if row is None else await self._brought(listing, row)

    async def page(self, listing: Listing, parent: str, key: int, window: Window, filters: Filters = ()) -> Page:
        """A page of what one parent owns."""
        kind, who = ("page", listing, parent, filters, window), self.principal
        page: Page = await self._load(kind, key, lambda keys: lists.pages(listing, parent, keys, filters, window, who))
        return await self.brought(listing, page)

    async def brought(self, listing: Listing, page: Page) -> Page:
        """The page, its rows with their figures of the moment where they move and are to be brought there."""
        if not self.is_to_bring(listing):
            return page
        return replace(page, rows=await self.brought_rows(listing, page.rows))

    async def brought_rows(self, listing: Listing, rows: Sequence[Row]) -> list[Row]:
        """The rows, in their order, with their figures of the moment where they move and are to be brought there."""
        return await asyncio.gather(*(self._brought(listing, row) for row in rows))

    async def count(self, listing: Listing, parent: str, key: int, filters: Filters = ()) -> Extent:
        """How many rows one parent owns."""
        kind, who = ("count", listing, parent, filters), self.principal
        extent: Extent = await self._load(kind, key, lambda keys: lists.counts(listing, parent, keys, filters, who))
        return extent

    async def progress(self, account_id: int) -> list[Progress]:
        """Where the phase on this account stands on each rule."""
        try:
            moment = await self.moment()
        except NoMarket:
            return []
        found: list[Progress] = await self._of_account(
            ("progress",), account_id, lambda keys: progress.of_accounts(keys, moment)
        )
        return found

    async def terms(self, digest: str) -> Terms:
        """The terms of this hash. Raises TermsUnreadable."""
        found: Terms = await self._load(("terms",), digest, terms.of_hashes)
        return found

    async def market_time(self) -> datetime:
        """The market's time of now, the same for all who want it together."""

        async def once(keys: list[None]) -> dict[None, datetime]:
            return dict.fromkeys(keys, await clocks.market_clock())

        found: datetime = await self._load(("market_time",), None, once)
        return found

    async def snapshot(self, account_id: int) -> Snapshot:
        """The account at the moment of this answer. Raises NoMarket, AccountUnreadable, AccountQuarantined."""
        return (await self.present(account_id)).snapshot

    async def context(self, account_id: int, symbols: tuple[str, ...] | None) -> Decided:
        """What the account may do now with these instruments; with None, all."""
        kind, moment = ("context", symbols), await self.moment()
        found: Decided = await self._of_account(
            kind, account_id, lambda keys: decision_context.of_accounts(keys, symbols, moment)
        )
        return found

    async def quarantine(self, account_id: int) -> Entry | None:
        """Why the account is in quarantine; None where it is not."""
        found: Entry | None = await self._load(("quarantine",), account_id, quarantine.of_accounts)
        return found

    async def eligibility(self, account_id: int | None) -> list[Criterion]:
        """What a payout of the phase on this account still lacks."""
        try:
            moment = await self.moment()
        except NoMarket:
            return no_phase()
        found: list[Criterion] | None = await self._load(
            ("eligibility",), account_id or 0, lambda keys: eligibility.of_accounts(keys, moment)
        )
        return found or no_phase()


@dataclass(slots=True)
class Context:
    """Of one HTTP request, or of one websocket."""

    events: EventSource
    bearer: Principal | None = None
    connection_params: dict[str, object] | None = None  # the payload of a websocket's connection_init
    authorization: str | None = None  # the header of a websocket's handshake
    address: str = ""  # the client's
    allowed: DocumentLimits = field(default_factory=DocumentLimits)
    explains: bool = True  # may the schema be asked about, and do errors suggest names of it?
    seconds: float = 0.0  # of processor time that other threads have spent on it
    proposed: int = 0  # decision actions, by the fields so far
    cost: int = 0  # of the operation, in fields, once it has been examined
    confirm: Callable[[], Awaitable[None]] | None = None
    """Where the bearer is only remembered: make sure of it, before anything is written or told."""
    admit: Callable[[int], None] = field(default=lambda _fields: None)
    """Make room for the answer of a query or mutation. Raises RateLimited, Busy."""
    request_id: str = field(default_factory=lambda: secrets.token_hex(8))
    slices: TimeSlices = field(default_factory=TimeSlices)  # the process's
    _loaders: Loaders | None = None

    @property
    def role(self) -> Role | None:
        """The role of the token; None without one."""
        return self.bearer.role if self.bearer else None

    @property
    def principal(self) -> Principal:
        """Who asks. Raises Unauthenticated for nobody."""
        return self.loaders.principal

    @property
    def whose(self) -> Hashable:
        """The bearer, or the address of one without a token: to whom work and bytes are counted."""
        bearer = self.bearer
        return (bearer.token_id, bearer.brand, bearer.name) if bearer else self.address

    def propose(self, many: int) -> None:
        """Count a batch of decision actions. Raises TooManyActions beyond what one document may propose."""
        proposed, most = self.proposed + many, self.allowed.actions
        if proposed > most:
            raise TooManyActions("actions", actions_max=most, actions=proposed)
        self.proposed = proposed

    def close(self) -> None:
        """Forget what was read: the answer has been written."""
        self._loaders = None

    @property
    def loaders(self) -> Loaders:
        """Raises Unauthenticated for nobody."""
        if self._loaders is None:
            if self.bearer is None:
                raise Unauthenticated("Send a valid token: Authorization: Bearer <token>.")
            self._loaders = Loaders(replace(self.bearer, request=self.request_id), self.slices)
        return self._loaders


Info = strawberry.Info[Context, None]
