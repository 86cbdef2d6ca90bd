"""`propdesk work`: worker processes, started by a service manager or by `propdesk up`."""

import asyncio
from importlib import import_module
from typing import Annotated

import typer

from cli.forks import Forks
from cli.processes import begin, require_ready
from config import gc_tuning
from config.embedded import running_database
from config.settings import Settings
from workers import main as worker

PROCESSES_MAX = 64
LOADED_LATER = ("models.tables", "config.broker_postgres")  # imported when the database and the broker are opened


def work(
    processes: Annotated[
        int,
        typer.Option(min=1, max=PROCESSES_MAX, help="Number of worker processes; they share the memory of loaded code"),
    ] = 1,
) -> None:
    """Run workers: jobs, marks and periodic work. Each worker serves its metrics on its own port, counting upwards."""
    settings = begin("worker")
    if processes == 1:
        _work(settings)
        return
    for module in LOADED_LATER:
        import_module(module)
    raise typer.Exit(Forks(processes, lambda number: _work(_numbered(settings, number))).run())


def _numbered(settings: Settings, number: int) -> Settings:
    port = settings.worker_metrics_port
    return settings if port is None else settings.replace(worker_metrics_port=port + number)


def _work(settings: Settings) -> None:
    with running_database(settings) as ready:
        asyncio.run(require_ready(ready))
        gc_tuning.settle()
        worker.run(ready)
