"""The first front door: HTTP and websockets, the event hub, health."""
