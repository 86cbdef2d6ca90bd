"""The workers: Dramatiq actors that process waiting batches and jobs, and a loop that catches lost wake-ups."""
