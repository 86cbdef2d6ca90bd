"""The second front door: Dramatiq actors that drain what is owed, and the loop that notices when a wake-up was lost."""
