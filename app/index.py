"""The page at `/`: it describes the server and links to the API and the health checks."""

from starlette.requests import Request
from starlette.responses import HTMLResponse

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
}
TEXT = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Propdesk</title>
<style>
body {{ font: 1rem/1.5 system-ui, sans-serif; max-width: 42rem; margin: 3rem auto; padding: 0 1rem }}
code {{ font-size: 0.95em }}
@media (prefers-color-scheme: dark) {{ body {{ background: #16181d; color: #e6e6e6 }} a {{ color: #8ab4ff }} }}
</style>
</head>
<body>
<h1>Propdesk</h1>
<p>A backend for prop-trading challenges: programs, purchases, challenges and accounts behind one GraphQL API.</p>
<ul>
{api}
<li><a href="/healthz">/healthz</a> says whether this process runs, <a href="/readyz">/readyz</a> whether the desk is
ready to work.</li>
</ul>
</body>
</html>
"""
EXPLORER = """<li><a href="/graphql">/graphql</a> is the API. A browser gets GraphiQL there, with the schema and
examples for each role. Programs send POST requests with a bearer token, or subscribe over a websocket that speaks
<code>graphql-transport-ws</code>.</li>"""
API_ALONE = """<li><code>/graphql</code> is the API. Programs send POST requests with a bearer token, or subscribe
over a websocket that speaks <code>graphql-transport-ws</code>. This desk runs in production, so it has no page for
browsers there.</li>"""


class IndexPage:
    """The page; `explores` says whether a browser gets GraphiQL at /graphql."""

    def __init__(self, *, explores: bool) -> None:
        self._text = TEXT.format(api=EXPLORER if explores else API_ALONE)

    async def respond(self, _request: Request) -> HTMLResponse:
        return HTMLResponse(self._text, headers=HEADERS)
