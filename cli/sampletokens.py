"""The file of the sample brand's tokens, for the next start: the database stores only their hashes."""

import hashlib
import json
import logging
from collections.abc import Mapping
from pathlib import Path

from config.address import parse

log = logging.getLogger(__name__)


def file_of(data_dir: Path, database_url: str) -> Path:
    """Return the token file of this database; user name and password of the URL do not matter."""
    database = str(parse(database_url))
    return data_dir / f"sample-tokens-{hashlib.sha256(database.encode()).hexdigest()[:12]}.json"


def read_tokens(file: Path) -> dict[str, str]:
    """Return the tokens by role; empty if the file is missing or unusable."""
    try:
        content = json.loads(file.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    if not isinstance(content, dict) or not all(isinstance(text, str) for text in content.values()):
        return {}
    return content


def write(file: Path, tokens: Mapping[str, str]) -> None:
    """Write the tokens, readable only by the owner. If that fails, the next start makes new ones."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch(mode=0o600)
        file.chmod(0o600)
        file.write_text(json.dumps(dict(tokens)), "utf-8")
    except OSError as error:
        log.warning("cannot keep the sample tokens in %s (%s): the next start makes new ones", file, error.strerror)
