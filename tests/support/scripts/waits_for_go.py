"""Waits for a file called go in its directory, then exits: `waits_for_go.py CODE`."""

from __future__ import annotations

import os
import sys
import time

from ledger_line import write_line  # type: ignore[import-not-found]  # beside it, when it runs

write_line("begin")
while not os.path.exists("go"):
    time.sleep(0.01)
write_line(f"end {sys.argv[1]}")
sys.exit(int(sys.argv[1]))
