"""The GraphiQL page, in development: HTML at /graphql and its files at /graphiql, all from this server.

`make graphiql` builds it from graphiql/ into app/graphiql, which is committed.
"""

import ipaddress
import json
import re
from collections.abc import Mapping
from pathlib import Path

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

BUILT = Path(__file__).with_name("graphiql")
PATH = "/graphiql"  # of the files, as the page names them
TOKENS = '<script type="application/json" id="tokens">{}</script>'
POLICY = (
    "default-src 'none'; script-src 'self'; worker-src 'self'; connect-src 'self'; "
    "style-src 'self' 'unsafe-inline'; "  # the editor computes its styles
    "font-src 'self' data:; img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "Cache-Control": "no-store",
    "Vary": "Accept",
}


class GraphiqlPage:
    """The page. A browser on this machine also gets the sample tokens, by role."""

    def __init__(self, tokens: Mapping[str, str]) -> None:
        self._text = (BUILT / "index.html").read_text()
        assert TOKENS in self._text, "the page has a place for the tokens"
        offered = json.dumps(dict(tokens)).replace("<", "\\u003c")
        self._with_tokens = self._text.replace(TOKENS, TOKENS.replace("{}", offered))

    def response(self, request: Request) -> Response:
        return HTMLResponse(self._with_tokens if _is_local(request) else self._text, headers=HEADERS)


class GraphiqlFiles(StaticFiles):
    """The page's files. Names under assets/ change with their content, so browsers may keep those files."""

    def __init__(self) -> None:
        super().__init__(directory=BUILT)

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        lasting = path.startswith("assets/") and response.status_code == 200
        response.headers["Cache-Control"] = "public, max-age=31536000, immutable" if lasting else "no-cache"
        return response


def _is_local(request: Request) -> bool:
    """Return whether a browser on this machine loads the page itself.

    False for a host name of another site, for a script of a page of another site, and for a request through a proxy.
    """
    if "x-forwarded-for" in request.headers or "forwarded" in request.headers:
        return False
    client = request.client.host if request.client else ""
    named = re.sub(r":\d*$", "", request.headers.get("host", "")).strip("[]")
    return _is_loopback(client) and (named == "localhost" or _is_loopback(named)) and "origin" not in request.headers


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
