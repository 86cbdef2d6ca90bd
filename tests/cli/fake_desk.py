"""A desk made of memory: it takes quotes, judges them late, refuses what it is told to, and can die at any moment."""

import json
from typing import Any

import httpx


class FakeDesk:
    """Batches as handed in; `evaluated` runs one poll behind. `troubles` are met first, one a request."""

    def __init__(self) -> None:
        self.batches: list[list[dict[str, str]]] = []
        self.evaluated = 0
        self.requests = 0
        self.mode = "REPLAY"
        self.market_time: str | None = None
        self.drops_all = False
        self.suspect: list[dict[str, Any]] = []
        self.troubles: list[str] = []
        self.listed = {"EURUSD", "GBPUSD"}

    @property
    def transport(self) -> httpx.MockTransport:
        return httpx.MockTransport(self._answer)

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.requests += 1
        asked = json.loads(request.content)
        trouble = self.troubles.pop(0) if self.troubles else "none"
        if trouble == "refused":
            raise httpx.ConnectError("connection refused")
        if trouble == "restarting":
            return httpx.Response(503, text="starting")
        answer = self._answer_to(asked)
        if trouble == "answer lost":
            raise httpx.ReadError("connection reset")
        if trouble == "busy":
            self.batches.pop()
            answer = {"ingestQuotes": {"userErrors": [{"code": "BUSY", "message": "again", "transient": True}]}}
        return httpx.Response(200, json={"data": answer})

    def _answer_to(self, asked: dict[str, Any]) -> dict[str, Any]:
        if "ingestQuotes" in asked["query"]:
            return self._ingest(asked["variables"]["input"])
        if "instruments" in asked["query"]:
            symbols = sorted(self.listed)
            after = asked["variables"]["after"]
            place = symbols.index(after) + 1 if after else 0
            page = {"hasNextPage": place + 1 < len(symbols), "endCursor": symbols[place]}
            return {"instruments": {"nodes": [{"symbol": symbols[place], "aliases": []}], "pageInfo": page}}
        return self._system()

    def _system(self) -> dict[str, Any]:
        system = {
            "mode": self.mode,
            "marketTime": self.market_time,
            "newestBatch": len(self.batches),
            "evaluatedThrough": self.evaluated,
        }
        self.evaluated = len(self.batches)
        return {"system": system}

    def _ingest(self, given: dict[str, Any]) -> dict[str, Any]:
        quotes = given["quotes"]
        taken = [quote for quote in quotes if quote["symbol"] in self.listed and not self.drops_all]
        dropped = [
            {"symbol": quote["symbol"], "reason": "UNKNOWN_SYMBOL", "count": 1}
            for quote in quotes
            if quote not in taken
        ]
        if taken:
            self.batches.append(taken)
        newest = len(self.batches) if taken else None
        counted = {"accepted": len(taken), "rounded": 0, "dropped": dropped, "suspect": self.suspect}
        return {"ingestQuotes": {"newestBatch": newest, **counted, "userErrors": []}}
