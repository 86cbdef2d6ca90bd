"""Is the process alive; can it do its work."""

import asyncpg
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from config.errors import Problem
from services import system

UNREACHABLE = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError, Problem)


async def healthz(request: Request) -> Response:
    """200 as long as the process answers."""
    return JSONResponse({"status": "ok"})


async def readyz(request: Request) -> Response:
    """200 with how far the desk is, or 503 with what is missing."""
    try:
        now = await system.read()
    except UNREACHABLE as error:
        return JSONResponse({"status": "unavailable", "database": str(error) or type(error).__name__}, 503)
    return JSONResponse(
        {
            "status": "ready",
            "mode": now.mode,
            "newestBatch": now.newest_batch,
            "evaluatedThrough": now.evaluated_through,
        }
    )
