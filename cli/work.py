"""`propdesk work`: a worker's process, as a service manager or `propdesk up` runs it."""

import asyncio

from cli.processes import begin, require_ready
from config import garbage
from config.embedded import running_database
from workers import main as worker


def work() -> None:
    """Run a worker: jobs, marks and what is periodic."""
    settings = begin("worker")
    with running_database(settings) as ready:
        asyncio.run(require_ready(ready))
        garbage.settle()
        worker.run(ready)
