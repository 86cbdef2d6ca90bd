"""A replay: in lock-step, everything once whatever happens to the server, and what was dropped told at the end."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from cli import client as client_module
from cli import lockstep
from cli import replay as module
from cli.client import Away, Client, Refusal
from cli.lockstep import LockStep
from cli.quotefile import Options, QuoteRow
from cli.replay import Tally, replay
from config.errors import Problem
from tests.cli.commands import a_free_port
from tests.cli.fake_desk import FakeDesk

HEADER = "ts_utc_ms,symbol,bid,ask"


@pytest.fixture(autouse=True)
def _hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    for one in (client_module, lockstep):
        monkeypatch.setattr(one, "RETRY_SECONDS", 0.001)


def a_row(second: int = 1, symbol: str = "EURUSD") -> QuoteRow:
    return QuoteRow(datetime(2026, 3, 2, tzinfo=UTC) + timedelta(seconds=second), symbol, "1.1", "1.2")


def a_client(desk: FakeDesk, patience_seconds: float = 5) -> Client:
    return Client("http://desk/graphql", "secret", patience_seconds=patience_seconds, transport=desk.transport)


async def test_the_next_quotes_come_only_when_the_last_are_judged() -> None:
    desk = FakeDesk()
    async with a_client(desk) as client:
        step = LockStep(client)
        for second in range(3):
            ingested = await step.feed([a_row(second)])
            assert ingested.newest_batch == second + 1
            assert desk.evaluated == second
            await step.wait()
            assert desk.evaluated == second + 1


@pytest.mark.parametrize(
    "troubles",
    [
        ["none", "answer lost"],
        ["none", "refused", "refused", "restarting", "none"],
        ["none", "answer lost", "refused", "restarting"],
        ["none", "busy"],
        ["none", "restarting", "answer lost", "answer lost"],
    ],
    ids=" ".join,
)
async def test_quotes_are_taken_exactly_once_whatever_the_server_does(troubles: list[str]) -> None:
    desk = FakeDesk()
    async with a_client(desk) as client:
        step = LockStep(client)
        await step.feed([a_row(1)])
        await step.wait()
        desk.troubles = troubles[1:]
        await step.feed([a_row(2)])
        await step.wait()
        await step.feed([a_row(3)])
    assert [batch[0]["time"][17:19] for batch in desk.batches] == ["01", "02", "03"]


async def test_quotes_whose_answer_was_lost_say_so() -> None:
    desk = FakeDesk()
    desk.troubles = ["none", "answer lost"]
    async with a_client(desk) as client:
        ingested = await LockStep(client).feed([a_row()])
    assert not ingested.answered
    assert ingested.newest_batch == 1


async def test_a_server_that_stays_away_ends_the_patience() -> None:
    desk = FakeDesk()
    async with a_client(desk, patience_seconds=0.05) as client:
        step = LockStep(client)
        await step.feed([a_row(1)])
        desk.troubles = ["refused"] * 1000
        with pytest.raises(Away, match="cannot reach"):
            await step.feed([a_row(2)])


async def test_a_desk_where_nobody_works_is_named() -> None:
    desk = FakeDesk()
    async with a_client(desk, patience_seconds=0.05) as client:
        step = LockStep(client)
        await step.feed([a_row(1)])
        step.newest = 9
        with pytest.raises(Problem, match=r"batch 9 has not been judged .* is a worker running"):
            await step.wait()


async def test_a_refusal_that_will_stay_one_is_raised() -> None:
    errors = [{"code": "INVALID_INPUT", "message": "Too many.", "transient": False}]

    def answer(request: httpx.Request) -> httpx.Response:
        if b"ingest" not in request.content:
            return httpx.Response(200, json={"data": {"system": {"newestBatch": None, "evaluatedThrough": 0}}})
        return httpx.Response(200, json={"data": {"ingestQuotes": {"userErrors": errors}}})

    async with Client("http://desk/", patience_seconds=5, transport=httpx.MockTransport(answer)) as client:
        with pytest.raises(Refusal, match="INVALID_INPUT"):
            await LockStep(client).feed([a_row()])


FIRST = 1_772_409_600_000  # 2 March 2026, midnight UTC, in milliseconds


def a_file(directory: Path, *rows: str, name: str = "quotes.csv") -> Path:
    """A quotes file; each row begins with the seconds since `FIRST`."""
    path = directory / name
    cells = [row.partition(",") for row in rows]
    path.write_text("\n".join([HEADER, *(f"{FIRST + 1000 * int(second)},{rest}" for second, _, rest in cells)]))
    return path


async def _play(desk: FakeDesk, *paths: Path, resume: bool = False) -> Tally:
    tally = Tally()
    await module.play(paths, Options(), a_client(desk), tally, resume=resume)
    return tally


async def test_a_file_is_replayed_and_what_was_dropped_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    desk = FakeDesk()
    rows = ("1,EURUSD,1.1,1.2", "1,NOSUCH,1,2", "2,NOSUCH,1,2", "3,GBPUSD,NaN,1.4")
    tally = await _play(desk, a_file(tmp_path, *rows))
    assert (tally.quotes, tally.times, tally.accepted) == (4, 3, 2)
    assert tally.dropped == {("NOSUCH", "UNKNOWN_SYMBOL"): 2}
    assert desk.batches[1][0]["bid"] == "NaN", "the desk judges it"
    module.tell(tally)
    told = capsys.readouterr().out
    assert "own, 4 rows" in told
    assert "4 quotes at 3 times up to 2026-03-02 00:00:03 UTC: 2 accepted, 2 dropped" in told
    assert "UNKNOWN_SYMBOL" in told


async def test_what_a_guard_holds_back_is_told_with_what_was_dropped(tmp_path: Path) -> None:
    desk = FakeDesk()
    desk.suspect = [{"symbol": "EURUSD", "held": True, "count": 1}, {"symbol": "GBPUSD", "held": False, "count": 2}]
    tally = await _play(desk, a_file(tmp_path, "1,EURUSD,1.1,1.2"))
    assert tally.dropped == {("EURUSD", "SUSPECT"): 1}


async def test_a_zone_whose_sign_is_reversed_is_warned_of(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = a_file(tmp_path, "1,EURUSD,1.1,1.2")
    for zone, warned in (("Etc/GMT+3", True), ("GMT+3", False)):
        await module.play([path], Options(zone=zone), a_client(FakeDesk()), Tally())
        assert ("note: Etc/GMT+3 is UTC-3" in capsys.readouterr().err) == warned


async def test_files_are_merged_by_time_and_their_symbols_are_the_desks(tmp_path: Path) -> None:
    desk = FakeDesk()
    one = a_file(tmp_path, "1,eur/usd,1.1,1.2", "3,EURUSD,1.1,1.2", name="one.csv")
    other = a_file(tmp_path, "1,gbpusd,1.3,1.4", "2,GBPUSD,1.3,1.4", name="other.csv")
    tally = await _play(desk, one, other)
    assert [[quote["symbol"] for quote in batch] for batch in desk.batches] == [
        ["EURUSD", "GBPUSD"],
        ["GBPUSD"],
        ["EURUSD"],
    ]
    assert (tally.accepted, tally.times) == (4, 3)


async def test_nothing_is_handed_in_where_a_line_is_broken(tmp_path: Path) -> None:
    desk = FakeDesk()
    sound = a_file(tmp_path, "1,EURUSD,1.1,1.2", name="sound.csv")
    broken = a_file(tmp_path, "1,EURUSD,1.1,1.2", "2,EURUSD,1.1,1.2", "2,GBPUSD,1.1", name="broken.csv")
    with pytest.raises(Problem, match=r"broken.csv, line 4: 3 columns instead of 4; no quotes were handed in"):
        await _play(desk, sound, broken)
    assert not desk.batches


async def test_files_behind_the_markets_clock_are_refused(tmp_path: Path) -> None:
    desk = FakeDesk()
    desk.market_time = "2026-03-02T00:00:02Z"
    with pytest.raises(Problem, match=r"begin at 2026-03-02 00:00:01 UTC.*already at 2026-03-02 00:00:02"):
        await _play(desk, a_file(tmp_path, "1,EURUSD,1.1,1.2", "5,EURUSD,1.1,1.2"))
    assert not desk.batches
    assert (await _play(desk, a_file(tmp_path, "2,EURUSD,1.1,1.2"))).accepted == 1


async def test_a_replay_that_broke_off_goes_on_after_the_markets_time(tmp_path: Path) -> None:
    desk = FakeDesk()
    desk.market_time = "2026-03-02T00:00:02Z"
    tally = await _play(desk, a_file(tmp_path, *(f"{n},EURUSD,1.{n},2" for n in range(1, 5))), resume=True)
    assert [batch[0]["bid"] for batch in desk.batches] == ["1.3", "1.4"]
    assert (tally.quotes, tally.passed_over) == (2, 2)


async def test_a_desk_of_the_systems_time_is_warned_about(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    desk = FakeDesk()
    desk.mode = "SYSTEM"
    await _play(desk, a_file(tmp_path, "1,EURUSD,1.1,1.2"))
    assert "keeps the system's time" in capsys.readouterr().err


def test_a_replay_of_which_nothing_was_accepted_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    desk = FakeDesk()
    monkeypatch.setattr(module, "Client", lambda *_, **__: a_client(desk))
    replay([a_file(tmp_path, "1,EURUSD,1.1,1.2")], token="secret")
    desk.drops_all = True
    with pytest.raises(Problem, match="none of the 1 quotes handed in was accepted"):
        replay([a_file(tmp_path, "1,EURUSD,1.1,1.2")], token="secret")


async def test_files_of_which_the_desk_lists_no_symbol_are_refused(tmp_path: Path) -> None:
    desk = FakeDesk()
    with pytest.raises(Problem, match=r"lists none of the symbols in the files \(NOSUCH\)"):
        await _play(desk, a_file(tmp_path, "1,NOSUCH,1.1,1.2"))
    assert not desk.batches


def test_a_replay_without_a_token_or_a_server_is_one_line(tmp_path: Path) -> None:
    path = a_file(tmp_path, "1,EURUSD,1.1,1.2")
    with pytest.raises(Problem, match="a token is needed"):
        replay([path], "http://127.0.0.1:9/graphql", None)
    with pytest.raises(Problem, match="cannot reach"):
        replay([path], "http://127.0.0.1:9/graphql", "secret")


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("layout", "nosuch"),
        ("zone", "Mars/Olympus"),
        ("spread", "-0.0001"),
        ("spread", "wide"),
        ("spread", "NaN"),
        ("dates", "year"),
    ],
)
def test_an_option_that_cannot_be_meant_is_refused_by_its_name(tmp_path: Path, option: str, value: str) -> None:
    given: dict[str, Any] = {option: value}
    with pytest.raises(Problem, match=f"--{option} {value}"):
        replay([a_file(tmp_path, "1,EURUSD,1.1,1.2")], token="secret", **given)


def test_it_goes_to_the_port_of_the_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    port = a_free_port()
    monkeypatch.setenv("PROPDESK_PORT", str(port))
    file = tmp_path / "quotes.csv"
    file.write_text(f"{HEADER}\n1772452800000,EURUSD,1.1,1.2\n")
    with pytest.raises(Away, match=f"127.0.0.1:{port}/graphql"):
        replay([file], token="secret")
