"""docs/glossary.md: in order, and in step with the code."""

import re

from models import tables
from tests.house.sources import ROOT, sources

TEXT = (ROOT / "docs" / "glossary.md").read_text()
ROWS = [[cell.strip() for cell in line.strip("|").split("|")] for line in TEXT.splitlines() if line.startswith("| ")][
    1:
]


def test_every_entry_has_a_word_and_a_meaning_and_they_are_in_order() -> None:
    words = [word for word, _, _ in ROWS]
    assert words == sorted(set(words), key=str.lower)
    assert all(meaning.endswith(".") for _, meaning, _ in ROWS)


def test_every_file_name_and_table_of_the_last_column_exists() -> None:
    code = "".join(source.text for source in sources("domain", "models", "services", "schema"))
    names = set(re.findall(r"\w+", code))
    stored = {kind.Meta.table for kind in tables.__models__}  # type: ignore[attr-defined] # each names its own
    for word, _, places in ROWS:
        for table in re.findall(r"table `(\w+)`", places):
            assert table in stored, word
        for name in re.findall(r"`([^`]+)`", places):
            exists = (ROOT / name).exists() if "/" in name else set(name.split(".")) <= names
            assert exists, f"{word}: {name}"
