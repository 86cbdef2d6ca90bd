"""The API's schema as a file, so that a change of it is seen in a review."""

from pathlib import Path
from typing import Annotated

import typer
from graphql import build_schema, lexicographic_sort_schema, print_schema

from config.errors import Problem
from resolvers.main import schema


def schema_text() -> str:
    """The schema definition language, sorted, ending in a newline."""
    return print_schema(lexicographic_sort_schema(build_schema(schema.as_str()))) + "\n"


def export_schema(
    path: Annotated[Path, typer.Argument(help="The file to write")] = Path("schema.graphql"),
    check: Annotated[bool, typer.Option("--check", help="Write nothing; fail if the file is out of step")] = False,
) -> None:
    """Write the GraphQL schema, sorted, to a file."""
    text = schema_text()
    if not check:
        path.write_text(text)
    elif not path.exists() or path.read_text() != text:
        raise Problem(f"{path} is out of step with the code; run: propdesk export-schema")
