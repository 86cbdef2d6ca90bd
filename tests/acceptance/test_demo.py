"""The whole journey: real HTTP, real websocket, real worker processes, on recorded quotes.

`propdesk demo` compares everything with what it expects and runs `verify` over its books; here it must say so, whatever
is killed under it, at any speed, with the same verdicts, events and ledgers.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil

from tests.acceptance.played import kill, play, with_quotes


def test_the_journey_on_recorded_quotes_comes_out_the_same_whatever_is_killed(
    server: str, recorded_quotes: Callable[[str], Path]
) -> None:
    path = recorded_quotes("fx_1m.csv.gz")
    # What to kill once the demo has told of an event: in mid-activation, in mid-trade, and while a phase changes.
    killings = [("prop.purchase.paid", "work"), ("prop.challenge.failed", "serve"), ("phase_changed", "work")]

    def watch(line: str, demo: psutil.Process) -> None:
        if killings and killings[0][0] in line and kill(demo, killings[0][1]):
            killings.pop(0)

    with ThreadPoolExecutor() as both:
        left_alone = both.submit(play, *with_quotes(path), server=server)
        killed = both.submit(play, *with_quotes(path), "--pause", "0.01", server=server, watch=watch)
    undisturbed, disturbed = left_alone.result(), killed.result()
    assert undisturbed.status == 0, undisturbed.output
    assert disturbed.status == 0, disturbed.output
    assert not killings, disturbed.output
    assert disturbed.digest == undisturbed.digest


def test_the_journey_on_made_up_quotes_comes_out_as_expected(server: str) -> None:
    played = play(server=server)
    assert played.status == 0, played.output
    assert "MADE-UP quotes" in played.output
