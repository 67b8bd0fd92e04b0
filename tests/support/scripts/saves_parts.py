"""Saves several files together: `saves_parts.py SECONDS NAME...`, each NAME with {} for the step, until it is ended."""

from __future__ import annotations

import json
import os
import sys
import time
import zipfile


def main() -> None:
    seconds, names = float(sys.argv[1]), sys.argv[2:]
    resumed = os.environ.get("BACKPROP_RESUME_FROM")
    start = int(os.path.basename(resumed).split("_")[-1].split(".")[0]) if resumed else 0
    os.makedirs("out", exist_ok=True)
    for step in range(start + 1, 10_000):
        sys.stdout.write(json.dumps({"step": step, "loss": 1 / step}) + "\n")
        sys.stdout.flush()
        for name in names:
            with zipfile.ZipFile(os.path.join("out", name.format(step)), "w") as archive:
                archive.writestr("archive/data.pkl", bytes(100))
        time.sleep(seconds)


main()
