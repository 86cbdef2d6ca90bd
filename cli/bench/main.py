"""`propdesk bench`: a command for each path that is measured."""

import typer

from cli.bench.actions import actions
from cli.bench.api import api
from cli.bench.evaluator import evaluator
from cli.bench.scale import scale

bench = typer.Typer(
    help="Measure what the desk does against what the same machine can do at all, as ratios, in one run.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
bench.command()(actions)
bench.command()(evaluator)
bench.command()(api)
bench.command()(scale)
