"""A client of the last release is served as before, or the changelog says what breaks it."""

from pathlib import Path

import pytest

from config.errors import Problem
from tests.house.sources import ROOT
from tools.export_schema import RELEASES, check_schema, last_release, schema_text, untold_changes

OLD = "type Query { account(id: ID!): String  accounts: [String!] }"
NEW = "type Query { account(id: ID!, brand: String!): String  programs: [String!] }"
CHANGELOG = """# Changelog

## Unreleased

- {told}

## 0.1.0

- The first. {before}
"""


@pytest.fixture
def released(tmp_path: Path) -> Path:
    path = tmp_path / "0.1.0.graphql"
    path.write_text(OLD)
    return path


def found(released: Path, now: str, told: str = "", before: str = "") -> set[str]:
    return set(untold_changes(released, now, CHANGELOG.format(told=told, before=before)))


def test_a_breaking_change_is_found_unless_the_changelog_tells_it_above_the_release(released: Path) -> None:
    breaking = found(released, NEW)
    assert len(breaking) == 2
    assert any("accounts" in change for change in breaking)
    assert found(released, NEW, told=" ".join(breaking)) == set()
    assert found(released, NEW, before=" ".join(breaking)) == breaking


def test_what_is_added_breaks_nobody(released: Path) -> None:
    assert not found(released, OLD.replace("}", " programs(first: Int): [String!] }"))


def test_the_newest_release_counts_by_its_numbers_not_its_letters(tmp_path: Path) -> None:
    assert last_release(tmp_path) is None
    for version in ("0.9.0", "0.10.0", "0.2.1"):
        (tmp_path / f"{version}.graphql").touch()
    last = last_release(tmp_path)
    assert last is not None
    assert last.stem == "0.10.0"


def test_the_command_fails_and_names_what_breaks(released: Path, capsys: pytest.CaptureFixture[str]) -> None:
    changelog = released.with_name("CHANGELOG.md")
    changelog.write_text(CHANGELOG)
    with pytest.raises(Problem, match=r"Query\.account"):
        check_schema(released.parent, changelog)
    released.write_text(schema_text())
    check_schema(released.parent, changelog)
    assert "served as before" in capsys.readouterr().out
    check_schema(released.parent / "none", changelog)
    assert "nothing is released yet" in capsys.readouterr().out


def test_no_client_of_the_last_release_is_broken_unawares() -> None:
    last = last_release(ROOT / RELEASES)
    assert last is None or not untold_changes(last, schema_text(), (ROOT / "CHANGELOG.md").read_text())
