"""Root fields for the state of the desk and the bearer of the token."""

import strawberry

from domain.quotes import DeskMode
from schema.engine.permissions import query
from schema.engine.request_context import Info
from schema.me import Me
from schema.suspect_quotes import SuspectQuote
from schema.system import DroppedQuotes, Heartbeat, QuarantinedAccount, System
from services import system
from services.principals import Role


@strawberry.type
class SystemQuery:
    @query("Bearer of the token.")
    async def me(self, info: Info) -> Me:
        who = info.context.principal
        return Me(role=who.role, name=who.name, brand=who.brand, subject=who.subject)

    @query("State of the desk.", Role.ADMIN)
    async def system(self, info: Info) -> System:
        now = await system.read_state()
        return System(
            mode=DeskMode(now.mode),
            newest_batch=now.newest_batch,
            evaluated_through=now.evaluated_through,
            market_time=now.market_time,
            queue_depth=now.queue_depth,
            dead_jobs=now.dead_jobs,
            heartbeats=[Heartbeat(**beat) for beat in now.heartbeats],
            quarantined=now.quarantined,
            quarantine=[QuarantinedAccount.of(entry) for entry in now.quarantine],
            dropped_quotes=[DroppedQuotes(**dropped) for dropped in now.dropped],
            suspect_quotes=[SuspectQuote.of(stored) for stored in now.suspect],
        )
