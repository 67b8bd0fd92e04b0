"""The command line: parsing, the commands, and their output."""
