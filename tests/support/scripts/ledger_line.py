"""Appends a line to the test's ledger."""

from __future__ import annotations

import os


def write_line(text: str) -> None:
    """Writes run, attempt, process and text at once, so that lines do not mix."""
    line = f"{os.environ['BACKPROP_RUN_ID']} {os.environ['BACKPROP_ATTEMPT']} {os.getpid()} {text}\n"
    descriptor = os.open(os.environ["LEDGER"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.write(descriptor, line.encode())
    os.close(descriptor)
