"""Live events and ticks: the hub, its fan-out to subscribers that share a selection, and the websocket protocol."""
