"""docs/features.md names tests that there are and things that there are, and leaves no row empty."""

import ast
import re
from functools import cache
from pathlib import Path

from tests.house.sources import PACKAGES, ROOT, sources

DOCUMENT = ROOT / "docs" / "features.md"
TEST = re.compile(r"`(tests/[\w/]+\.py)::(test_\w+)`")


def rows() -> list[list[str]]:
    """The cells of every row below a table's head."""
    lines = [line for line in DOCUMENT.read_text().splitlines() if line.startswith("|")]
    found = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return [cells for cells in found if cells[0] != "what the source says" and set(cells[0]) != {"-"}]


@cache
def functions_of(path: str) -> frozenset[str]:
    """Of a file of tests; none if there is no such file."""
    file = ROOT / path
    tree = ast.parse(file.read_text()) if file.is_file() else ast.Module([], [])
    return frozenset(node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


@cache
def words() -> frozenset[str]:
    """Every word of the API, of the program and of its tables."""
    texts = [(ROOT / "schema.graphql").read_text(), *(source.text for source in sources(*PACKAGES))]
    texts += [path.read_text() for path in (ROOT / "migrations").rglob("*.sql")]
    return frozenset(word for text in texts for word in re.findall(r"\w+", text))


def test_every_row_says_what_does_it_and_which_test_shows_it() -> None:
    found = rows()
    assert len(found) > 200
    assert not [cells for cells in found if len(cells) != 3 or not all(cells) or not TEST.search(cells[2])]


def test_every_test_that_is_named_exists() -> None:
    named = {(path, name) for cells in rows() for path, name in TEST.findall(cells[2])}
    assert not sorted(f"{path}::{name}" for path, name in named if name not in functions_of(path))


def test_every_field_command_and_file_that_is_named_exists() -> None:
    named = {name for cells in rows() for name in re.findall(r"`([^`]+)`", cells[1])}
    assert not sorted(name for name in named if not _exists(name))


def _exists(name: str) -> bool:
    if name.startswith("propdesk "):
        return name.split()[1].replace("-", "_") in re.findall(r"\w+", (ROOT / "cli" / "main.py").read_text())
    if "/" in name:
        return (ROOT / Path(name)).exists()
    return set(re.findall(r"\w+", name)) <= words()
