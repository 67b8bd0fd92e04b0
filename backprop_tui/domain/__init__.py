"""The nouns and rules of runs: pure values and functions, no I/O, no clock, no await."""
