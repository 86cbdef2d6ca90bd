"""A desk for recorded quotes: made once, refused where it is too late, and the README's example of it, played."""

import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cli.setup import set_mode
from config.address import parse
from config.errors import Problem
from services import quotes
from services.system import read_state
from tests.cli.commands import COMMAND, a_free_port, propdesk
from tests.house.sources import ROOT
from tests.services.world import START, a_quote, a_world

SECONDS_MAX = 120


async def test_the_clock_is_chosen_until_the_first_quotes_and_then_stays(empty_database: str) -> None:
    assert await set_mode(empty_database, None) == "SYSTEM"
    for mode in ("replay", "SYSTEM", "replay", "REPLAY"):
        assert await set_mode(empty_database, mode) == mode.upper()
    with pytest.raises(Problem, match="--mode backtest: a desk's mode is system or replay"):
        await set_mode(empty_database, "backtest")


async def test_a_desk_that_has_quotes_keeps_its_clock(database: str) -> None:
    await a_world(database)
    await quotes.ingest([a_quote("EURUSD", "1.1", START)])
    assert await set_mode(database, "replay") == "REPLAY"
    with pytest.raises(Problem, match="has quotes and goes by the time of replayed quotes, which stays so"):
        await set_mode(database, "system")
    assert (await read_state()).mode == "REPLAY"


async def test_init_says_which_clock_the_desk_goes_by(empty_database: str) -> None:
    ended = propdesk("init", "--mode", "replay", DATABASE_URL=empty_database)
    assert (ended.returncode, ended.stderr) == (0, f"database: {parse(empty_database)} as postgres\n")
    assert ended.stdout == "the schema is up to date\nthe desk goes by the time of replayed quotes\n"


@contextmanager
def upped(script: str, directory: Path, environment: dict[str, str]) -> Iterator[str]:
    """Run the README's first block until it announces itself; what it said by then."""
    process = subprocess.Popen(
        ["bash", "-c", script], cwd=directory, env=environment, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    said = ""
    assert process.stdout is not None
    try:
        while "Ctrl-C stops it" not in said:
            line = process.stdout.readline()
            assert line, said
            said += line
        yield said
    finally:
        process.terminate()
        process.communicate(timeout=SECONDS_MAX)


@pytest.mark.campaign
def test_the_readmes_example_of_a_replay_desk(empty_database: str, tmp_path: Path) -> None:
    section = (ROOT / "README.md").read_text().partition("## A desk for recorded quotes")[2].partition("\n## ")[0]
    start, play, shown = re.findall(r"```(?:sh)?\n(.*?)```", section, re.DOTALL)
    port = str(a_free_port())
    command = " ".join(COMMAND)
    start, play = (
        text.replace(".venv/bin/propdesk", command)
        .replace("8001", port)
        .replace("/var/tmp/propdesk-replay", str(tmp_path))
        for text in (start, play)
    )
    environment = os.environ | {"DATABASE_URL": empty_database}
    with upped(
        f"{start.rstrip()} & child=$!; trap 'kill $child; wait $child' TERM; wait", tmp_path, environment
    ) as said:
        assert "SIMULATED QUOTES" not in said
        (admin,) = re.findall(r"ADMIN token\s+(\S+)", said)
        ended = subprocess.run(
            ["bash", "-e", "-c", play.replace("pd_...", admin)],
            cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=SECONDS_MAX, check=False,
        )  # fmt: skip
        assert ended.returncode == 0, ended.stderr
        assert f"desk: http://127.0.0.1:{port}/graphql\n" in ended.stderr
        for line in shown.splitlines():
            assert line in ended.stdout
        again = subprocess.run(
            ["bash", "-e", "-c", play.replace("pd_...", admin)],
            cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=SECONDS_MAX, check=False,
        )  # fmt: skip
        assert again.returncode == 1
        assert "this desk's market is already at 2026-03-02 09:00:02" in again.stderr
