"""What a person types to start a run, as words for the `run` command."""
