"""The endpoint that somebody would write by hand for one page: a statement, a loop, JSON. The floor of `bench api`."""

import base64
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

from config.database import pool
from domain.lifecycles import ChallengeStatus, ProgramStatus

CHALLENGES = """
select c.id, c.brand, c.client, c.status, c.current_phase_index, c.created_at, c.ended_at, c.end_reason, c.terms_hash,
  t.version as terms_version, p.id as program_id, p.name, p.price, p.status as program_status,
  p.version
from challenges c join programs p on p.id = c.program_id join terms t on t.hash = c.terms_hash
where c.brand = $1 order by c.id desc limit $2
"""
BRAND = "bench"


async def page(request: Request) -> Response:
    """Answer the page of challenges that `tools.bench.pages.PAGE` selects, `first` of them."""
    await request.body()
    first = int(request.query_params["first"])
    async with pool().acquire() as conn:
        rows = await conn.fetch(CHALLENGES, BRAND, first + 1)
    shown = rows[:first]
    info = {"endCursor": _cursor(shown[-1]["id"]), "hasNextPage": len(rows) > first}
    body = {"data": {"challenges": {"nodes": [_challenge(row) for row in shown], "pageInfo": info}}}
    return Response(orjson.dumps(body), media_type="application/json")


def _challenge(row: Any) -> dict[str, Any]:
    return {
        "id": str(row["id"]),
        "brand": row["brand"],
        "client": row["client"],
        "status": ChallengeStatus(row["status"]).name,
        "currentPhaseIndex": row["current_phase_index"],
        "createdAt": row["created_at"],
        "endedAt": row["ended_at"],
        "endReason": row["end_reason"],
        "terms": {"hash": row["terms_hash"], "version": row["terms_version"]},
        "program": {
            "id": str(row["program_id"]),
            "name": row["name"],
            "price": f"{row['price'].normalize():f}",
            "status": ProgramStatus(row["program_status"]).name,
            "version": row["version"],
        },
    }


def _cursor(number: int) -> str:
    return base64.urlsafe_b64encode(orjson.dumps([number])).decode()
