"""Quote files as people have them: opened, recognised, checked as a whole, and merged by time."""

from collections.abc import Iterator
from pathlib import Path

from cli.quotefile.merging import QuoteFiles
from cli.quotefile.plans import Options
from cli.quotefile.rows import FileBatch, QuoteRow

__all__ = ["FileBatch", "Options", "QuoteFiles", "QuoteRow", "batches"]


def batches(*paths: Path, options: Options | None = None) -> Iterator[FileBatch]:
    """All quotes of the files by time. Raises Problem, before the first, where a file cannot be used."""
    return QuoteFiles(paths, options).batches()
