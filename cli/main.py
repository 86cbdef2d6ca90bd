"""The `propdesk` command and its subcommands."""

import gc
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import typer
from typer.core import TyperGroup

from cli.errors import exit_status
from cli.supervisor import end_with_supervisor

COMMANDS = {  # module and attribute of each; only the requested one is imported, as importing all takes seconds
    "up": "cli.up:up",
    "serve": "cli.serve:serve",
    "work": "cli.work:work",
    "init": "cli.setup:init",
    "migrate": "cli.setup:migrate",
    "token": "cli.setup:token",
    "instruments": "cli.instruments:instruments",
    "shards": "cli.shards:shards",
    "mark-to-market": "cli.marks:mark_to_market",
    "replay": "cli.replay:replay",
    "verify": "cli.verify:verify",
    "export": "cli.export:export",
    "feed": "cli.feed:feed",
}
DEVELOPER_COMMANDS = {  # only in a checkout: the wheel does not contain `tools`
    "demo": "tools.demo:demo",
    "bench": "tools.bench.main:bench",
    "export-schema": "tools.export_schema:export_schema",
    "check-schema": "tools.export_schema:check_schema",
    "export-errors": "tools.export_errors:export_errors",
    "export-models": "tools.model_state:export_models",
    "export-diagrams": "tools.diagrams:export_diagrams",
    "export-settings": "tools.export_settings:export_settings",
    "export-dashboard": "tools.dashboard:export_dashboard",
}
CHECKOUT = Path(__file__).resolve().parents[1]
if (CHECKOUT / "pyproject.toml").is_file() and (
    CHECKOUT / "tools"
).is_dir():  # another project's `tools` does not count
    COMMANDS |= DEVELOPER_COMMANDS
HIDDEN = {"feed"}  # `up` starts it


class Commands(TyperGroup):
    """The commands; each is imported when it is first requested."""

    def list_commands(self, ctx: Any) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: Any, name: str) -> Any:
        for one in [name] if name in COMMANDS else COMMANDS:  # all of them, to suggest a similar name
            self.commands.setdefault(one, _command(one))
        return self.commands.get(name)


def _import(module: str) -> Any:
    """Import without garbage collection: imported objects stay, and collecting takes a sixth of the start."""
    gc.disable()
    try:
        return import_module(module)
    finally:
        gc.enable()


def _command(name: str) -> Any:
    module, _, attribute = COMMANDS[name].partition(":")
    function = getattr(_import(module), attribute)
    if isinstance(function, typer.Typer):
        group = function
    else:
        group = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
        group.command(hidden=name in HIDDEN)(function)
    command = typer.main.get_command(group)
    command.name = name
    return command


app = typer.Typer(cls=Commands, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


@app.callback()
def propdesk() -> None:
    """Propdesk: a self-hosted backend for prop-trading challenges."""


def main() -> None:
    """Run the console script."""
    end_with_supervisor()
    sys.exit(exit_status(app))


if __name__ == "__main__":
    main()
