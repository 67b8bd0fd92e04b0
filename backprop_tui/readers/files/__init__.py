"""Parsers of the files that training scripts write besides their output: bytes in, progress out, no I/O."""
