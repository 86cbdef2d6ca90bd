"""Loaded by the process whose clock jumps: beside libfaketime time.sleep fails (EINVAL), and select does not."""

import select
import time
from typing import SupportsIndex


def _sleep(seconds: float | SupportsIndex, /) -> None:
    select.select([], [], [], float(seconds))


time.sleep = _sleep
