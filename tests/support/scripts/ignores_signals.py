"""Ignores SIGINT and SIGTERM, as does its child; only SIGKILL ends them."""

from __future__ import annotations

import os
import signal
import time

from ledger_line import write_line  # type: ignore[import-not-found]  # beside it, when it runs

for number in (signal.SIGINT, signal.SIGTERM):
    signal.signal(number, signal.SIG_IGN)
os.fork()
write_line("begin")
while True:
    time.sleep(60)
