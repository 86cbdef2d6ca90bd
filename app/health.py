"""The health checks: /healthz for the process, /readyz for the whole desk."""

import asyncio
from dataclasses import asdict

import asyncpg
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from domain.validation import api_name
from services import system

ANSWER_SECONDS_MAX = 5
UNREACHABLE = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError)


async def healthz(request: Request) -> Response:
    """Respond with 200 as long as the process runs."""
    return JSONResponse({"status": "ok"})


async def readyz(request: Request) -> Response:
    """Respond with 200, or with 503 and each part that is missing; both with figures if the database can be read."""
    tasks = {f"task: {name}": fault for name, fault in request.app.state.supervisor.unwell().items()}
    try:
        async with asyncio.timeout(ANSWER_SECONDS_MAX):
            now = await system.read_figures()
    except UNREACHABLE as error:
        return _answer(tasks | {"database": str(error) or type(error).__name__}, {})
    figures = {
        "mode": now.system.mode,
        "newestBatch": now.system.newest_batch,
        "evaluatedThrough": now.system.evaluated_through,
        "queueDepth": now.system.queue_depth,
        "deadJobs": now.system.dead_jobs,
        "quarantined": now.system.quarantined,
        "warnings": now.warnings,
        **{api_name(name): figure for name, figure in asdict(now.load).items()},
        "signAgeSeconds": now.ages,
    }
    return _answer(tasks | now.missing, figures)


def _answer(missing: dict[str, str], figures: dict[str, object]) -> Response:
    status = {"status": "unavailable" if missing else "ready", "missing": missing}
    return JSONResponse(status | figures, 503 if missing else 200)
