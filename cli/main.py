"""`propdesk`: one command for each thing an operator does."""

import sys
from typing import Annotated

import typer

from cli.codes import export_errors
from cli.demo import demo
from cli.errors import exit_status
from cli.export import export
from cli.feed import feed
from cli.marks import mark_to_market
from cli.processes import serve, work
from cli.replay import replay
from cli.schema import check_schema, export_schema
from cli.setup import migrate, token
from cli.supervisor import end_with_supervisor
from cli.up import up
from cli.verify import verify


def bench(arguments: Annotated[list[str] | None, typer.Argument()] = None) -> None:
    """Measure what the desk does against what the same machine can do at all; `bench --help` names the paths."""
    from cli.bench.main import bench as group  # what it imports would slow down the start of every other command

    typer.main.get_command(group).main(arguments or [], prog_name="propdesk bench", standalone_mode=False)


app = typer.Typer(
    help="Propdesk: a self-hosted backend for prop-trading challenges.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

for command in (up, serve, work, migrate, token, mark_to_market, replay, demo, verify, export):
    app.command()(command)
for command in (export_schema, check_schema, export_errors):  # for those who change the API
    app.command()(command)
app.command(context_settings={"ignore_unknown_options": True, "help_option_names": []})(bench)
app.command(hidden=True)(feed)  # a child of `up`


def main() -> None:
    """The console script."""
    end_with_supervisor()
    sys.exit(exit_status(app))


if __name__ == "__main__":
    main()
