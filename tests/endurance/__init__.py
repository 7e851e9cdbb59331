"""Hours of runs that are killed at random moments: see `__main__`."""
