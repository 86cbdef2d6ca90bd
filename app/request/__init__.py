"""One HTTP request: who sends it, what it asks, what it may cost, and how its answer is written."""
