"""`propdesk bench`: a command for each path that is measured."""

import typer

from tools.bench.actions import actions
from tools.bench.api import api
from tools.bench.evaluator import evaluator
from tools.bench.scale import scale

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
