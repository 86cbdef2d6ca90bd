"""Processes of one command, forked from a parent that restarts them, so that they share the loaded modules.

Memory pages are shared until a process writes to them; changing a reference count is such a write. The parent
only supervises: it opens no connection and starts no thread before it forks.
"""

import logging
import os
import select
import signal
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress

from cli.errors import exit_status
from cli.supervisor import BACKOFF_SECONDS, STEADY_SECONDS, STOP_SECONDS_MAX
from config import gc_tuning

FAILED = 1  # the exit status of a process that has already printed its error
SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD)

log = logging.getLogger(__name__)


class Forks:
    """The processes of one parent. Each runs `work` with its number, counted from 0."""

    def __init__(self, many: int, work: Callable[[int], None]) -> None:
        self._work = work
        self._running: dict[int, int] = {}  # process id -> number
        self._due = dict.fromkeys(range(many), 0.0)  # number -> time of its next start
        self._deaths = [0] * many  # consecutive early deaths of each number
        self._began = [0.0] * many
        self._ends_by: float | None = None  # the deadline of a shutdown in progress
        self._lifeline, self._parent = os.pipe()  # children read end of file here when the parent dies

    def run(self) -> int:
        """Keep all processes running until SIGTERM or SIGINT, then stop them; return the exit status.

        If every process fails during start-up, the parent fails too, so that its supervisor notices.
        """
        gc_tuning.settle()
        awake, wake = os.pipe()
        os.set_blocking(wake, False)
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
        for number in SIGNALS:
            signal.signal(number, lambda given, _frame: self._stop() if given != signal.SIGCHLD else None)
        while True:
            self._start_due()
            if select.select([awake], [], [], self._pause())[0]:
                os.read(awake, 512)
            has_failed = self._reap()
            if not self._running and (has_failed or self._ends_by is not None):
                return FAILED if has_failed else 0
            if self._ends_by is not None and time.monotonic() >= self._ends_by:
                self._signal(signal.SIGKILL)

    def _pause(self) -> float | None:
        """Return the seconds until the next timed action; None: there is none."""
        times = [*self._due.values()] if self._ends_by is None else [self._ends_by]
        return max(0.0, min(times) - time.monotonic()) if times else None

    def _stop(self) -> None:
        if self._ends_by is None:
            self._ends_by = time.monotonic() + STOP_SECONDS_MAX
            self._signal(signal.SIGTERM)

    def _signal(self, number: int) -> None:
        for process in self._running:
            with suppress(ProcessLookupError):
                os.kill(process, number)

    def _start_due(self) -> None:
        if self._ends_by is not None:
            return
        for number in [number for number, due in self._due.items() if time.monotonic() >= due]:
            del self._due[number]
            self._began[number] = time.monotonic()
            process = os.fork()
            if process == 0:
                os._exit(self._child(number))
            self._running[process] = number

    def _child(self, number: int) -> int:
        """Run the work in the forked process; return its exit status."""
        signal.set_wakeup_fd(-1)
        for one in SIGNALS:
            signal.signal(one, signal.SIG_DFL)
        os.close(self._parent)
        threading.Thread(target=self._end_with_parent, daemon=True).start()
        status = exit_status(lambda: self._work(number))
        sys.stdout.flush()
        sys.stderr.flush()
        return status

    def _end_with_parent(self) -> None:
        os.read(self._lifeline, 1)
        os.kill(os.getpid(), signal.SIGTERM)

    def _reap(self) -> bool:
        """Collect ended processes and schedule their restarts, with a longer pause after each early death.

        Return whether a process failed before it had run steadily, which means that it cannot start.
        """
        has_failed = False
        while self._running:
            process, status = os.waitpid(-1, os.WNOHANG)
            if not process:
                break
            number, ended = self._running.pop(process), os.waitstatus_to_exitcode(status)
            if self._ends_by is not None:
                continue
            is_steady = time.monotonic() - self._began[number] > STEADY_SECONDS
            has_failed |= ended == FAILED and not is_steady
            self._deaths[number] = 1 if is_steady else self._deaths[number] + 1
            pause = BACKOFF_SECONDS[min(self._deaths[number], len(BACKOFF_SECONDS)) - 1]
            self._due[number] = time.monotonic() + pause
            log.warning("process %s ended with status %s; starting it again in %s s", process, ended, pause)
        return has_failed
