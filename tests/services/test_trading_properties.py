"""Trading, quotes, marks, voids and payouts in random order and at once: the account's equations hold all the time.

They are read from the rows by this file's own few statements, and by `verify` at the end.
"""

import asyncio
import random
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal

import pytest

from domain.errors import Refused
from services import actions, adjustments, admin, corrections, marking, payouts, quotes
from services.columnar.passes import Marker
from services.jobs import work_queue
from tests.services.world import (
    CLIENT,
    FUNDED,
    MANAGER,
    TRADER,
    WIDE,
    World,
    a_quote,
    a_world,
    act,
    an_action,
    books_hold,
    changed,
    rows,
    settle,
)

ENDLESS = changed(FUNDED, phase_index=1, duration_days=0, max_daily_loss_pct=Decimal(0), max_total_loss_pct=Decimal(0))
WAVES, AT_ONCE = 12, 8


@dataclass(slots=True)
class Desk:
    """What random work refers to, and what has come of it."""

    world: World
    chance: random.Random
    challenges: dict[int, int]  # by account
    accounts: list[int]
    markers: tuple[Marker, Marker]
    done: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    count: int = 0

    @property
    def account(self) -> int:
        return self.chance.choice(self.accounts)

    def name(self) -> str:
        self.count += 1
        return f"n{self.count}"


async def submit(desk: Desk) -> None:
    batch = []
    for _ in range(desk.chance.choice((1, 1, 3))):
        verb = desk.chance.choice(("OPEN", "OPEN", "INCREASE", "REDUCE", "CLOSE", "CLOSE", "PROTECT", "PROTECT"))
        given = {"CLOSE": {}, "REDUCE": {"fraction": "0.3"}, "PROTECT": {}}.get(
            verb, {"quantity": f"{desk.chance.randint(1, 300)}000"}
        )
        if verb == "PROTECT":
            kind, far = desk.chance.choice(("stop_loss", "take_profit")), desk.chance.choice(("1.07", "1.13", "NONE"))
            given = {kind: far} | desk.chance.choice(({}, {"fraction": "0.5"}))
        elif verb != "INCREASE" and desk.chance.random() < 0.4:
            given |= {"order": "LIMIT", "price": f"1.{desk.chance.randint(900, 1100):04}"}
        batch.append(an_action(verb, desk.name(), side=desk.chance.choice(("LONG", "SHORT")), **given))
    results = await actions.submit(TRADER, desk.account, "r1", batch)
    desk.done["fill"] += sum(result.fill is not None for result in results)


async def ingest(desk: Desk) -> None:
    desk.world.at += timedelta(minutes=desk.chance.choice((0, 1, 1, 500)))
    mid = f"1.{desk.chance.randint(900, 1100):04}"
    desk.done["quote"] += (await quotes.ingest([a_quote("EURUSD", mid, desk.world.at)])).accepted


async def mark(desk: Desk) -> None:
    how = desk.chance.randrange(4)
    if how < 2:
        await desk.markers[how].drain()
    elif how == 2:
        await marking.mark_account(MANAGER, desk.account)
    else:
        await marking.mark_all()


async def void(desk: Desk) -> None:
    account = desk.account
    booked = await rows("select seq from fills where account_id = $1 and status = 'BOOKED' order by seq", account)
    last = [row["seq"] for row in booked][-desk.chance.randint(1, 2) :]
    await corrections.void_fills(MANAGER, [(account, seq) for seq in last], "a bad tick")
    desk.done["void"] += 1


async def pay(desk: Desk) -> None:
    account, name = desk.chance.choice(list(desk.challenges)), desk.name()
    flat = [an_action("CLOSE", f"{name}{side}", side=side) for side in ("LONG", "SHORT")]
    await actions.submit(TRADER, account, "r1", flat)
    payout = await payouts.request_payout(CLIENT, desk.challenges[account], name)
    desk.done["payout"] += 1
    if desk.chance.random() < 0.5:
        await payouts.approve_payout(MANAGER, payout, name)
    else:
        await payouts.reject_payout(MANAGER, payout, "not yet", name)


async def adjust(desk: Desk) -> None:
    amount, counts = Decimal(desk.chance.randint(-90_000, 90_000)) / 100, desk.chance.random() < 0.5
    account, key = desk.account, desk.name()
    await adjustments.adjust(MANAGER, account, amount, counts_as_profit=counts, reason="a feed fault", key=key)
    desk.done["adjustment"] += 1


async def work(desk: Desk) -> None:
    await work_queue.do_jobs()


DOINGS: Sequence[Callable[[Desk], Awaitable[None]]] = (
    [submit] * 6
    + [ingest] * 3
    + [mark] * 2
    + [
        void,
        pay,
        pay,
        adjust,
        work,
    ]
)


async def equations_hold() -> None:
    """Of every account, as one statement sees it: all that is left is what does not add up."""
    assert not await rows(
        """with history as (
          select account_id, sum(amount) as cash, max(seq) as newest, count(*) as many from ledger group by 1),
        booked as (
          select account_id, sum(realised) as realised, sum(fee) as fees from fills where status = 'BOOKED' group by 1),
        moved as (select account_id, sum(amount) as amount from transfers where account_id is not null group by 1)
        select b.account_id, b.cash, h.cash as of_ledger, m.amount, f.realised, f.fees
        from balances b join history h using (account_id) left join booked f using (account_id)
          left join moved m using (account_id)
        where b.cash <> h.cash or (b.seq, b.seq) <> (h.newest, h.many) or b.equity <> b.cash + b.unrealised
          or b.cash <> coalesce(m.amount, 0) + coalesce(f.realised, 0) - coalesce(f.fees, 0)
          or (b.realised, b.fees) <> (coalesce(f.realised, 0), coalesce(f.fees, 0))"""
    ), "cash is the ledger's sum, and transfers + realised - fees"
    assert not await rows(
        """with signed as (
          select account_id, position_seq, sum(case when verb in ('OPEN', 'INCREASE') then quantity else -quantity end)
            as quantity from fills where status = 'BOOKED' group by 1, 2)
        select p.*, s.quantity as of_fills from positions p
          full join signed s on s.account_id = p.account_id and s.position_seq = p.seq
        where coalesce(p.quantity, -1) <> coalesce(s.quantity, 0)"""
    ), "positions are their signed fills"
    assert not await rows("select transfer from transfers group by transfer, currency having sum(amount) <> 0")


async def tried(doing: Callable[[Desk], Awaitable[None]], desk: Desk) -> None:
    try:
        await doing(desk)
    except Refused as refusal:
        desk.done[refusal.code] += 1


async def a_desk(url: str, seed: int) -> Desk:
    """Three accounts of challenges, each with a profit that may be paid, and one of its own."""
    world = await a_world(url, steps=(ENDLESS,), cash=5_000, policy=WIDE | {"fee_bps": Decimal(1)})
    sold = [await world.buy(f"k{n}") for n in range(3)]
    for _, account in sold:
        await act(account, "OPEN", action_id="first", quantity="300000")
    await world.quote("1.15")
    for _, account in sold:
        await act(account, "CLOSE", action_id="second")
    alone = await admin.create_account(MANAGER, mode="RACE", group="DEMO", key="race")
    await admin.start_by_hand(MANAGER, alone)
    owned = {account: challenge for challenge, account in sold}
    return Desk(world, random.Random(seed), owned, [*owned, alone], (Marker(0), Marker(0)))


@pytest.mark.parametrize("seed", range(2))
async def test_whatever_happens_at_once_the_books_hold(database: str, seed: int) -> None:
    desk = await a_desk(database, seed)
    for _ in range(WAVES):
        await asyncio.gather(*(tried(desk.chance.choice(DOINGS), desk) for _ in range(AT_ONCE)))
        await equations_hold()
    await settle()
    await equations_hold()
    assert min(desk.done[name] for name in ("fill", "quote", "void", "payout")) > 0, desk.done
    await books_hold()
