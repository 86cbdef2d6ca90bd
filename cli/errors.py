"""Error reporting of commands: one line on stderr that says what to do, and exit status 1."""

import logging
import sys
from collections.abc import Callable

from config.errors import Problem
from domain.errors import Refused

log = logging.getLogger(__name__)

INTERRUPTED = 130


def exit_status(command: Callable[[], None]) -> int:
    """Run `command`, print its error if it fails, and return the exit status."""
    try:
        command()
    except (Problem, Refused) as problem:
        complain(str(problem))
    except KeyboardInterrupt:
        return INTERRUPTED
    except Exception as error:
        log.debug("the traceback of the internal error", exc_info=True)
        complain(f"internal error: {type(error).__name__}: {error} (PROPDESK_LOG_LEVEL=DEBUG shows the traceback)")
    else:
        return 0
    return 1


def complain(message: str) -> None:
    """Print the message as one line on stderr."""
    print(f"propdesk: {' '.join(message.split())}", file=sys.stderr)
