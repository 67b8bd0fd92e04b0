"""The dashboard as a real process in a real pseudo-terminal."""
