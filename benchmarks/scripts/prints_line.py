"""Prints one line and ends."""

print("first line", flush=True)
