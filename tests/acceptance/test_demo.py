"""The whole journey: real HTTP, real websocket, real worker processes, on recorded quotes.

`propdesk demo` compares everything with what it expects and runs `verify` over its books; here it must say so, whatever
is killed under it, at any speed, by however many workers, with the same verdicts, events and ledgers.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import psutil
import psycopg
import pytest

from tests.acceptance.played import address_of, another_worker, kill_api, kill_worker, play, wipe_broker, with_quotes

JUDGED = """
  select p.account_id % 2 as shard, count(distinct b.number) as batches, count(distinct m.batch) as judged,
    count(m.batch) as metrics, (select count(*) from heartbeats where kind = 'worker') as workers
  from challenge_phases p
  join batches b on b.market_time > p.started_at and b.market_time < p.ended_at
  left join metrics m on m.phase_id = p.id and m.batch = b.number
  group by p.id
"""
"""Of every phase that has ended. Batches are an hour apart, and a metric is due at each."""


def test_the_journey_on_recorded_quotes_comes_out_the_same_whatever_is_killed(
    server: str, recorded_quotes: Callable[[str], Path]
) -> None:
    path = recorded_quotes("fx_1m.csv.gz")
    # What to kill or wipe once the demo has told of something: in mid-activation, in mid-trade, as a day is closed,
    # as a phase changes, as a payout and its fee are due.
    accidents = [
        ("prop.purchase.paid", kill_worker),
        ("winner OPEN", wipe_broker),
        ("prop.challenge.paused", kill_api),
        ("prop.challenge.phase_changed", kill_worker),
        ("prop.payout.requested", kill_worker),
    ]

    def watch(line: str, demo: psutil.Process) -> None:
        if accidents and accidents[0][0] in line and accidents[0][1](demo):
            accidents.pop(0)

    with ThreadPoolExecutor() as both:
        left_alone = both.submit(play, *with_quotes(path), server=server)
        killed = both.submit(play, *with_quotes(path), "--pause", "0.01", server=server, watch=watch)
    undisturbed, disturbed = left_alone.result(), killed.result()
    assert undisturbed.status == 0, undisturbed.output
    assert disturbed.status == 0, disturbed.output
    assert not accidents, disturbed.output
    assert disturbed.digest == undisturbed.digest
    assert "Left out: the account in euros over a weekend" in undisturbed.output  # every symbol rests at weekends


@pytest.mark.campaign
def test_on_made_up_quotes_two_workers_on_two_shards_judge_each_account_once_at_each_batch(server: str) -> None:
    phases: list[tuple[int, ...]] = []
    with ExitStack() as helpers:

        def watch(line: str, demo: psutil.Process) -> None:
            if "on sale:" in line:
                helpers.enter_context(another_worker(demo))
            if "phase_changed" in line or "prop.challenge.failed" in line:
                with psycopg.connect(address_of(demo)) as conn:
                    phases[:] = conn.execute(JUDGED).fetchall()

        played = play(server=server, watch=watch, PROPDESK_MARKER_SHARDS="2")
    assert played.status == 0, played.output
    assert "MADE-UP quotes" in played.output
    for part in ("External payment", "CLOSE_DAY", "Partial payout", "Weekend in EUR"):
        assert part in played.output
    assert "left out" not in played.output
    assert {shard for shard, *_ in phases} == {0, 1}
    for _, batches, judged, metrics, workers in phases:
        assert (judged, metrics, workers) == (batches, batches, 2)
        assert batches > 20
