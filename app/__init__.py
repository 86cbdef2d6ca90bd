"""The API process: HTTP, websockets, the hub of live events, health checks and metrics."""
