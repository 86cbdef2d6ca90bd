"""`propdesk`: one command for each thing an operator does."""

import sys

import typer

from cli.bench.main import bench
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
app.add_typer(bench, name="bench")
app.command(hidden=True)(feed)  # a child of `up`


def main() -> None:
    """The console script."""
    end_with_supervisor()
    sys.exit(exit_status(app))


if __name__ == "__main__":
    main()
