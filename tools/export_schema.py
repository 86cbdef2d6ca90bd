"""The API's schema as a file, so that a change of it is seen in a review, and held against the last release."""

from pathlib import Path
from typing import Annotated

import typer
from graphql import build_schema, find_breaking_changes, lexicographic_sort_schema, print_schema

from config.errors import Problem
from resolvers.main import schema
from tools.generated_files import write_or_check

RELEASES = Path("docs/schema-releases")  # the schema of each release, as VERSION.graphql


def schema_text() -> str:
    """Return the schema definition language, sorted, ending in a newline."""
    return print_schema(lexicographic_sort_schema(build_schema(schema.as_str()))) + "\n"


def export_schema(
    path: Annotated[Path, typer.Argument(help="The file to write")] = Path("schema.graphql"),
    check: Annotated[bool, typer.Option("--check", help="Write nothing; fail if the file is out of step")] = False,
) -> None:
    """Write the GraphQL schema, sorted, to a file."""
    write_or_check(path, schema_text(), check=check, command="export-schema")


def check_schema(
    releases: Annotated[Path, typer.Option(help="The folder of released schemas")] = RELEASES,
    changelog: Annotated[Path, typer.Option(help="Where breaking changes are told")] = Path("CHANGELOG.md"),
) -> None:
    """Fail on a change since the last release that would break a client and that the changelog does not tell."""
    released = last_release(releases)
    if released is None:
        typer.echo(f"nothing is released yet: {releases} holds no schema")
        return
    untold = untold_changes(released, schema_text(), changelog.read_text())
    if untold:
        raise Problem(f"since {released.stem}, and not in {changelog} above it: {' '.join(untold)}")
    typer.echo(f"every client of {released.stem} is served as before, or is told in {changelog}")


def last_release(releases: Path) -> Path | None:
    """Return the file of the newest version; None before the first."""
    return max(releases.glob("*.graphql"), key=lambda path: [int(n) for n in path.stem.split(".")], default=None)


def untold_changes(released: Path, now: str, changelog: str) -> list[str]:
    """Return the breaking changes since a released schema that the changelog does not mention."""
    newer = changelog.split(f"\n## {released.stem}\n")[0]
    changes = find_breaking_changes(build_schema(released.read_text()), build_schema(now))
    return [change.description for change in changes if change.description not in newer]
