"""Every Python file of the project, read once, and parsed once if its syntax is looked at."""

import ast
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = (
    "app",
    "cli",
    "config",
    "domain",
    "migrations",
    "models",
    "resolvers",
    "schema",
    "services",
    "tools",
    "workers",
)


@dataclass(frozen=True)
class Source:
    """One file: its path below the root, its text, its syntax tree."""

    path: Path
    text: str

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text)

    @property
    def package(self) -> str:
        return self.path.parts[0]

    def imported(self) -> Iterator[str]:
        """The dotted names it imports, wherever in the file; `from a import b` gives `a.b`."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0, f"{self.path}: imports are absolute"
                yield from (f"{node.module}.{alias.name}" for alias in node.names)

    def called(self) -> Iterator[str]:
        """What it calls, as written: `open`, `datetime.now`, `conn.transaction`."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Call):
                yield ast.unparse(node.func)


@cache
def sources(*packages: str) -> tuple[Source, ...]:
    """The files of these packages."""
    paths = sorted(path for package in packages for path in (ROOT / package).rglob("*.py"))
    return tuple(map(_source, paths))


@cache
def _source(path: Path) -> Source:
    return Source(path.relative_to(ROOT), path.read_text())


@cache
def tracked_files() -> tuple[Path, ...]:
    """What git keeps, and what it would keep if it were added now."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return tuple(path for name in listed.split("\0") if name and (path := ROOT / name).is_file())
