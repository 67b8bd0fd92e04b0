"""The guardian of one run, in a process of its own: the standard library alone."""
