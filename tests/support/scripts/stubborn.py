"""Ignores SIGINT and SIGTERM, and so does its child; only SIGKILL ends them."""

from __future__ import annotations

import os
import signal
import time

from tell import tell  # type: ignore[import-not-found]  # beside it, when it runs

for number in (signal.SIGINT, signal.SIGTERM):
    signal.signal(number, signal.SIG_IGN)
os.fork()
tell("begin")
while True:
    time.sleep(60)
