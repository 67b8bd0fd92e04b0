"""Works until a signal comes: tells it, and exits with 1; `obedient.py SECONDS` exits so long after it."""

from __future__ import annotations

import signal
import sys
import time

from tell import tell  # type: ignore[import-not-found]  # beside it, when it runs


def _end(number: int, _frame: object) -> None:
    tell(signal.Signals(number).name)
    time.sleep(float(sys.argv[1]) if len(sys.argv) > 1 else 0.0)
    sys.exit(1)


for one in (signal.SIGINT, signal.SIGTERM):
    signal.signal(one, _end)
signal.signal(signal.SIGUSR1, lambda number, _frame: tell(signal.Signals(number).name))
tell("begin")
while True:
    time.sleep(0.01)
