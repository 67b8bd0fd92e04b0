"""Works until it gets a signal, records it and exits with 1; `exits_on_signal.py SECONDS` exits that long after it."""

from __future__ import annotations

import signal
import sys
import time

from ledger_line import write_line  # type: ignore[import-not-found]  # beside it, when it runs


def _end(number: int, _frame: object) -> None:
    write_line(signal.Signals(number).name)
    time.sleep(float(sys.argv[1]) if len(sys.argv) > 1 else 0.0)
    sys.exit(1)


for ending in (signal.SIGINT, signal.SIGTERM):
    signal.signal(ending, _end)
signal.signal(signal.SIGUSR1, lambda number, _frame: write_line(signal.Signals(number).name))
write_line("begin")
while True:
    time.sleep(0.01)
