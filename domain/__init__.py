"""What the desk means, and nothing else: no await, no clock, no chance, no input or output."""
