"""Leaves a child in its session whose environment is empty, as setproctitle makes it; exits with 0 when told to go."""

from __future__ import annotations

import os
import signal
import sys
import time

from ledger_line import write_line  # type: ignore[import-not-found]  # beside it, when it runs

write_line("begin")
if os.fork() == 0:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    os.close(0)
    write_line("there")
    os.execve(sys.executable, [sys.executable, "-S", "-c", "import time; time.sleep(60)"], {})
while not os.path.exists("go"):
    time.sleep(0.01)
