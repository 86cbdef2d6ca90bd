"""The sample tokens outlive `propdesk up`: the next one offers the same."""

from pathlib import Path

from cli import sampletokens
from cli.up import _seed
from config.settings import Settings


async def test_a_second_start_offers_the_same_tokens(empty_database: str, tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path / "data")
    first = await _seed(settings, empty_database)
    assert await _seed(settings, empty_database) == first
    file = sampletokens.file_of(settings.data_dir, empty_database)
    assert file.stat().st_mode & 0o777 == 0o600
    assert sampletokens.read_tokens(file) == first
    file.unlink()
    assert (await _seed(settings, empty_database)).keys() == first.keys()


def test_a_file_that_cannot_be_used_is_as_none(tmp_path: Path) -> None:
    file = sampletokens.file_of(tmp_path, "postgresql://one/desk")
    assert file != sampletokens.file_of(tmp_path, "postgresql://two/desk")
    assert file == sampletokens.file_of(tmp_path, "postgresql://me:secret@one/desk")
    for text in ("", "[]", '{"ADMIN": 5}', "\x00"):
        file.write_text(text)
        assert sampletokens.read_tokens(file) == {}
    sampletokens.write(tmp_path / "quotes.csv" / "no", {})  # a place that cannot be made is told, and no failure
