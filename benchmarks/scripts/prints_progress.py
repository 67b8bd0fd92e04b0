"""Prints ten JSON lines a second until it is stopped, like a training script that logs a lot."""

from __future__ import annotations

import itertools
import json
import time

for step in itertools.count():
    print(json.dumps({"step": step, "loss": 1 / (1 + step), "lr": 3e-4, "accuracy": 0.5}), flush=True)
    time.sleep(0.1)
