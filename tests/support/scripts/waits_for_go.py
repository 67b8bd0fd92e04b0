"""Waits for a file called go in its directory, then exits: `waits_for_go.py CODE`."""

from __future__ import annotations

import os
import sys
import time

from tell import tell  # type: ignore[import-not-found]  # beside it, when it runs

tell("begin")
while not os.path.exists("go"):
    time.sleep(0.01)
tell(f"end {sys.argv[1]}")
sys.exit(int(sys.argv[1]))
