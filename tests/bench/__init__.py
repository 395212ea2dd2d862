"""Measures the goal ratios of the event path on this machine: `python -m tests.bench`."""
