"""The sample brand's tokens, kept in a file for the next start: the database knows only their hashes."""

import hashlib
import json
import logging
from collections.abc import Mapping
from pathlib import Path

from config.address import parse

log = logging.getLogger(__name__)


def file_of(data_dir: Path, database_url: str) -> Path:
    """Where the tokens of this database are kept, whoever logs in there and with whatever password."""
    database = str(parse(database_url))
    return data_dir / f"sample-tokens-{hashlib.sha256(database.encode()).hexdigest()[:12]}.json"


def read_tokens(file: Path) -> dict[str, str]:
    """The tokens by role; none where there is no such file, or it cannot be used."""
    try:
        content = json.loads(file.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    if not isinstance(content, dict) or not all(isinstance(text, str) for text in content.values()):
        return {}
    return content


def write(file: Path, tokens: Mapping[str, str]) -> None:
    """Keep the tokens, readable by the owner alone. Where that fails the next start makes new ones."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch(mode=0o600)
        file.chmod(0o600)
        file.write_text(json.dumps(dict(tokens)), "utf-8")
    except OSError as error:
        log.warning("cannot keep the sample tokens in %s (%s): the next start makes new ones", file, error.strerror)
