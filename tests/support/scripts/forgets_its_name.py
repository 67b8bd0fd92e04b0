"""Leaves a child in its session whose environment is empty, as setproctitle makes it; exits with 0 when told to go."""

from __future__ import annotations

import os
import signal
import sys
import time

from tell import tell  # type: ignore[import-not-found]  # beside it, when it runs

tell("begin")
if os.fork() == 0:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    os.close(0)
    tell("there")
    os.execve(sys.executable, [sys.executable, "-S", "-c", "import time; time.sleep(60)"], {})
while not os.path.exists("go"):
    time.sleep(0.01)
