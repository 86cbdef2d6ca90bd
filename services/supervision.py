"""Supervision of a process's endless tasks: a fault is logged and counted, and the task is restarted with back-off.

A task that keeps failing ends its process, so that the process manager starts a new one. Used from one event loop; the
state may be read from any thread.
"""

import asyncio
import logging
import os
import signal
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from config.errors import Problem
from services.telemetry import TASK_FAULTS

RESTART_SECONDS = 0.5  # before the first restart; each further one waits twice as long
RESTART_SECONDS_MAX = 30.0
STEADY_SECONDS = 60.0  # a task that has run this long counts as well again

log = logging.getLogger(__name__)


class Unrecoverable(Exception):
    """A fault that no restart of the task repairs: the process ends at once, so that its successor starts anew."""


Work = Callable[[], Awaitable[None]]


@dataclass(slots=True)
class Task:
    """The state of one endless task."""

    name: str
    failures: int = 0  # failures in a row, with less than STEADY_SECONDS between them
    fault: str = ""  # message of the last failure
    began: float = 0.0  # monotonic
    running: bool = False

    @property
    def is_well(self) -> bool:
        """Whether the task runs and has not failed recently."""
        return not self.failures or (self.running and time.monotonic() - self.began > RESTART_SECONDS_MAX)

    @property
    def restart_seconds(self) -> float:
        return min(RESTART_SECONDS_MAX, RESTART_SECONDS * 2.0 ** min(self.failures - 1, 20))


class Supervisor:
    """Runs the endless tasks of one process."""

    def __init__(self, failures_max: int, end: Callable[[], None]) -> None:
        """After `failures_max` failures of one task in a row `end` is called, which ends the process."""
        self.tasks: dict[str, Task] = {}
        self.lost: str | None = None  # the task because of which the process ends
        self._failures_max = failures_max
        self._end = end

    async def keep(self, name: str, work: Work) -> None:
        """Run the work until cancelled, restarting it; an endless task that returns has failed as well."""
        task = self.tasks[name] = Task(name)
        try:
            while await self._survives(task, work):  # noqa: ASYNC110 - it waits for time, not for an event
                await asyncio.sleep(task.restart_seconds)
        finally:
            task.running = False

    async def _survives(self, task: Task, work: Work) -> bool:
        """Run the work once; return whether it is to be restarted."""
        task.began, task.running = time.monotonic(), True
        try:
            await work()
            fault: Exception = RuntimeError("it returned, and should never do so")
        except Exception as error:  # noqa: BLE001 - any fault is logged, counted and shown
            fault = error
        finally:
            task.running = False
        steady = time.monotonic() - task.began > STEADY_SECONDS
        task.failures = 1 if steady else task.failures + 1
        task.fault = f"{type(fault).__name__}: {fault}"
        TASK_FAULTS.labels(task.name).inc()
        if task.failures < self._failures_max and not isinstance(fault, Unrecoverable):
            log.error(
                "the task '%s' failed and is restarted in %.1f s", task.name, task.restart_seconds, exc_info=fault
            )
            return True
        if isinstance(fault, Unrecoverable):
            log.critical("%s", fault)
        else:
            log.critical(
                "the task '%s' failed %d times in a row; the process ends", task.name, task.failures, exc_info=fault
            )
        self.lost = self.lost or task.name
        self._end()
        return False

    def unwell(self) -> dict[str, str]:
        """Return the last fault of each failing task, by its name."""
        return {task.name: task.fault for task in list(self.tasks.values()) if not task.is_well}


def end_process() -> None:
    """End this process in its orderly way, as SIGTERM does."""
    os.kill(os.getpid(), signal.SIGTERM)


def require_all_kept(supervisor: Supervisor) -> None:
    """Raise Problem if the process has ended because a task kept failing, so that it exits with an error."""
    if supervisor.lost is not None:
        task = supervisor.tasks[supervisor.lost]
        raise Problem(f"the task '{task.name}' failed {task.failures} times in a row ({task.fault}); see the log")
