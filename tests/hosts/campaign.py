"""`make hosts`: the desk on six hosts of one machine, with clients on a seventh, and what befalls networks and hosts.

First the acceptance journey, then a day's work under load, which SEED changes; SHORT=1 plays the journey with fewer
faults, in about a minute. Needs root, and what tests/hosts/network.py names; else it says why
it is skipped. Ends with status 1 and a line for each thing that went wrong.
"""

import asyncio
import os
import signal
import sys
import time
from types import FrameType

from tests.hosts import journey, work
from tests.hosts.faults import SCHEDULE
from tests.hosts.network import unavailable
from tests.hosts.site import a_site


def main() -> int:
    """Run the campaign; return the exit status."""
    if reason := unavailable():
        print(f"SKIPPED: {reason}")
        return 0
    signal.signal(signal.SIGTERM, _interrupt)
    began, short = time.monotonic(), bool(os.environ.get("SHORT"))
    with a_site() as hosts:
        print(f"{len(hosts.network.hosts)} hosts, {time.monotonic() - began:.1f} s to build; the acceptance journey")
        faults = [fault for fault in SCHEDULE if fault.in_short or not short]
        wrong = asyncio.run(journey.play(hosts, faults))
        if not short:
            seed = int(os.environ.get("SEED", "1"))
            print(f"a day's work, seed {seed}")
            wrong += asyncio.run(work.play(hosts, faults, seed))
    for line in wrong:
        print(f"WRONG: {line}")
    print(f"{len(faults)} faults, {len(wrong)} things wrong, {time.monotonic() - began:.0f} s")
    return 1 if wrong else 0


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    """End as Ctrl-C does, so that everything is removed."""
    raise KeyboardInterrupt


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        print("interrupted")
        sys.exit(130)
