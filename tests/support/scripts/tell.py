"""Appends a line to the test's ledger."""

from __future__ import annotations

import os


def tell(what: str) -> None:
    """Which run, attempt and process says what; in one write, so that lines do not mix."""
    line = f"{os.environ['BACKPROP_RUN_ID']} {os.environ['BACKPROP_ATTEMPT']} {os.getpid()} {what}\n"
    descriptor = os.open(os.environ["LEDGER"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.write(descriptor, line.encode())
    os.close(descriptor)
