"""docs/settings.md names every setting with its default."""

import re

from config.settings import Settings
from tests.house.sources import ROOT

ROW = re.compile(r"^\| (`[^|]+) \| ([^|]+) \| [^|]+ \|$", re.MULTILINE)


def _documented() -> dict[str, str]:
    """By variable the text of its default's cell."""
    page = (ROOT / "docs" / "settings.md").read_text()
    return {name: default for names, default in ROW.findall(page) for name in re.findall(r"`(\w+)`", names)}


def test_every_setting_and_no_other_stands_in_the_document() -> None:
    wanted = {
        str(field.validation_alias or f"PROPDESK_{name.upper()}") for name, field in Settings.model_fields.items()
    }
    assert set(_documented()) == wanted


def test_defaults_that_are_numbers_are_those_of_the_code() -> None:
    documented = _documented()
    for name, field in Settings.model_fields.items():
        if isinstance(field.default, int | float) and not isinstance(field.default, bool):
            cell = documented[f"PROPDESK_{name.upper()}"]
            assert f"{field.default:g}" in re.findall(r"[\d.]+", cell) or str(field.default) in cell, (name, cell)
