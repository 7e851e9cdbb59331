"""A message: its rows as Arrow, its manifest, how it is sealed, and how large it may be."""
