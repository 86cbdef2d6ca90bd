"""`propdesk bench` as a process: it starts its own PostgreSQL, prints each ratio with its target, and writes JSON."""

import json
from pathlib import Path

import pytest

from tests.cli.commands import propdesk

PAGES = ("ledger", "orders", "fills", "positions", "actions")
READS = ("snapshot", "decision context", *(f"{name} page" for name in PAGES))


@pytest.mark.campaign
def test_a_tiny_bench_of_actions_prints_and_writes_every_figure(tmp_path: Path) -> None:
    path = tmp_path / "actions.json"
    done = propdesk("bench", "actions", "--tiny", "--json", str(path), COLUMNS="200")
    assert done.returncode == 0, done.stderr
    told = json.loads(path.read_text())
    figures = {figure["name"]: figure for figure in told["figures"]}
    assert all(name in done.stdout for name in figures)
    assert [(f["target"], f["at_most"]) for f in told["figures"]] == [
        (1.5, False), (0.5, False), (5, True), (5, True), *[(1.5, True)] * 2 * len(READS),
    ]  # fmt: skip
    assert {name.split(":")[0] for name in figures if ":" in name} == set(READS)
    for figure in figures.values():
        assert figure["ratio"] > 0 and len(figure["ratios"]) == 1, figure
        within = figure["ratio"] <= figure["target"] if figure["at_most"] else figure["ratio"] >= figure["target"]
        assert figure["met"] is within, figure
    rows = told["rows of one action"]
    assert rows == {"ledger": 4, "decision_actions": 1, "orders": 1, "fills": 1, "positions": 1, "balances": 1}
    assert told["bench"] == "actions" and told["machine"]["processors"]
