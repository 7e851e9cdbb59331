"""Dishonest peers and carriers, played against the real program."""
