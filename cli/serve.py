"""`propdesk serve`: the API process, run by a service manager or `propdesk up`."""

import asyncio

from cli.processes import begin, require_free_port, require_ready, require_tls
from config.embedded import running_database
from services.supervision import require_all_kept


def serve() -> None:
    """Serve the API: GraphQL over HTTP and websocket, and the health check."""
    settings = begin("api")
    require_tls(settings)
    require_free_port(settings)
    with running_database(settings) as ready:
        asyncio.run(require_ready(ready))
        from app.main import (
            create_app,  # after the checks: loading the API takes a second, and a failed check should report at once
        )
        from cli.server import server_of

        app = create_app(ready)
        server_of(app, ready, host=ready.host, port=ready.port).run()
    require_all_kept(app.state.supervisor)
