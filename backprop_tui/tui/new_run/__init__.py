"""From what a user types to start a run to the words of the `run` command."""
