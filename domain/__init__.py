"""The domain: pure functions and values. No await, no clock, no randomness, no input or output."""
