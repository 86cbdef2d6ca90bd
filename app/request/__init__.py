"""One HTTP request: its bearer, its parameters, its limits, and the response."""
