"""The dashboard as a person has it: a real process in a real pseudo-terminal."""
