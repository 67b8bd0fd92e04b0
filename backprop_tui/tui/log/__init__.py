"""The log pane: shows, counts and searches a file of any size by reading only small parts of it."""
