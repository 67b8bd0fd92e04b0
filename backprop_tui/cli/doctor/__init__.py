"""The checks of `doctor`: each file is about one part of the machine and yields findings with advice."""
