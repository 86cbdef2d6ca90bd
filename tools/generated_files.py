"""Files made from the code: written, or held against what the code would write."""

from pathlib import Path

from config.errors import Problem


def write_or_check(path: Path, text: str, *, check: bool, command: str) -> None:
    """Write the text, or with `check` raise Problem where the file does not hold it."""
    if not check:
        path.write_text(text)
    elif not path.exists() or path.read_text() != text:
        raise Problem(f"{path} is out of step with the code; run: propdesk {command}")
