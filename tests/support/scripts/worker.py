"""Works like a training: `worker.py STEPS SECONDS_PER_STEP EXIT_CODE`, a checkpoint half-way."""

from __future__ import annotations

import json
import sys
import time

from tell import tell


def main() -> None:
    tell("begin")
    steps, seconds, code = int(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3])
    for step in range(1, steps + 1):
        print(json.dumps({"step": step, "loss": 1 / step}), flush=True)
        if step == steps // 2:
            with open("checkpoint.json", "w", encoding="ascii") as file:
                json.dump({"step": step}, file)
            print(json.dumps({"event": "checkpoint_saved", "path": "checkpoint.json", "step": step}), flush=True)
        time.sleep(seconds)
    tell(f"end {code}")
    sys.exit(code)


main()
