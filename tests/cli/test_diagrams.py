"""docs/diagrams.md: every table, every reference, every life cycle."""

from pathlib import Path

import pytest

from config.errors import Problem
from domain.lifecycles import MOVES
from models import tables
from tests.house.sources import ROOT
from tools.diagrams import PARTS, STARTS, TITLES, diagrams_text, export_diagrams

DOCUMENT = ROOT / "docs" / "diagrams.md"


def test_the_document_is_in_step_with_the_models_and_life_cycles() -> None:
    assert DOCUMENT.read_text() == diagrams_text(), "run: propdesk export-diagrams"


def test_it_draws_every_table_and_every_move() -> None:
    text = diagrams_text()
    modules = {kind.__module__.split(".")[-1] for kind in tables.__models__}
    assert modules == {module for part in PARTS.values() for module in part}
    names = [kind.Meta.table for kind in tables.__models__]  # type: ignore[attr-defined] # each names its own
    assert all(f"| `{name}` |" in text for name in names)
    assert STARTS.keys() == TITLES.keys() == MOVES.keys()
    assert text.count(" --> ") == sum(map(len, MOVES.values())) + len(STARTS)


def test_the_command_says_when_the_document_is_out_of_step(tmp_path: Path) -> None:
    path = tmp_path / "diagrams.md"
    with pytest.raises(Problem, match="run: propdesk export-diagrams"):
        export_diagrams(path, check=True)
    export_diagrams(path)
    export_diagrams(path, check=True)
