"""The stored state of the models for the newest migration, from which aerich derives later changes."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from config.aerich import models_state
from tools.generated_files import write_or_check

STATE = Path("migrations/models/1_20261130_second.models.json")


def export_models(
    path: Annotated[Path, typer.Argument(help="The file to write")] = STATE,
    check: Annotated[bool, typer.Option("--check", help="Write nothing; fail if the file is out of step")] = False,
) -> None:
    """Write the state of the models for the newest migration, which must not be released yet."""
    write_or_check(path, asyncio.run(models_state()), check=check, command="export-models")
