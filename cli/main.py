"""`propdesk`: one command for each thing an operator does."""

import sys
from contextlib import suppress
from importlib import import_module

import typer

from cli.errors import exit_status

app = typer.Typer(
    help="Propdesk: a self-hosted backend for prop-trading challenges.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

# TEMPORARY while the modules are being written: becomes plain imports and a list of commands.
for module, function, name, hidden in (
    ("cli.up", "up", "up", False),
    ("cli.processes", "serve", "serve", False),
    ("cli.processes", "work", "work", False),
    ("cli.feed", "feed", "feed", True),
    ("cli.setup", "migrate", "migrate", False),
    ("cli.setup", "token", "token", False),
    ("cli.marks", "mark_to_market", "mark-to-market", False),
    ("cli.replay", "replay", "replay", False),
    ("cli.demo", "demo", "demo", False),
    ("cli.verify", "verify", "verify", False),
    ("cli.schema", "export_schema", "export-schema", False),
):
    with suppress(ImportError):
        app.command(name, hidden=hidden)(getattr(import_module(module), function))


def main() -> None:
    """The console script."""
    sys.exit(exit_status(app))


if __name__ == "__main__":
    main()
