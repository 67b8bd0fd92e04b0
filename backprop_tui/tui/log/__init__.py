"""A log of any size, read in small parts: only what is shown, what is counted and what is searched at the moment."""
