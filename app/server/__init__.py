"""The server's connections: HTTP sockets and websockets, each with its limits."""
