"""Trains like Hugging Face's Trainer and does not announce checkpoints: `saves.py STEPS SECONDS SAVE_EVERY [KEEP]`.

Continues from BACKPROP_RESUME_FROM. SIGINT ends it without a save. Variables: SAVES_SECONDS is the duration of a save,
SAVES_NOTHING trains without saving, SAVES_INTO is another directory than `out`.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import time

from ledger_line import write_line  # type: ignore[import-not-found]  # beside it, when it runs


def _say(**figures: object) -> None:
    sys.stdout.write(json.dumps(figures) + "\n")
    sys.stdout.flush()


def _save(step: int, keep: int) -> None:
    into = os.environ.get("SAVES_INTO", "out")
    folder = os.path.join(into, f"checkpoint-{step}")
    os.makedirs(folder, exist_ok=True)
    write_line(f"saving {step}")
    with open(os.path.join(folder, "training_args.bin"), "wb") as file:
        file.write(b"\x80\x02}.")
    with open(os.path.join(folder, "model.safetensors"), "wb") as file:
        header = b'{"a":{"dtype":"U8","shape":[1000],"data_offsets":[0,1000]}}'
        file.write(len(header).to_bytes(8, "little") + header + bytes(500))
        file.flush()
        time.sleep(float(os.environ.get("SAVES_SECONDS", "0")))
        file.write(bytes(500))
    with open(os.path.join(folder, "trainer_state.json"), "w", encoding="ascii") as state:
        json.dump({"global_step": step}, state)
    write_line(f"saved {step}")
    saved = sorted((int(name.rpartition("-")[2]) for name in os.listdir(into)), reverse=True)
    for old in saved[keep:]:
        shutil.rmtree(os.path.join(into, f"checkpoint-{old}"))


def _start() -> int:
    path = os.environ.get("BACKPROP_RESUME_FROM")
    if path is None:
        return 0
    with open(os.path.join(path, "trainer_state.json"), encoding="ascii") as state:
        return int(json.load(state)["global_step"])


def main() -> None:
    steps, seconds, every = int(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3])
    keep = int(sys.argv[4]) if len(sys.argv) > 4 else steps
    start = _start()
    write_line(f"begin {start}")
    for step in range(start + 1, steps + 1):
        time.sleep(seconds)
        _say(step=step, loss=1 / step)
        write_line(f"step {step}")
        if step % every == 0 and "SAVES_NOTHING" not in os.environ:
            _save(step, keep)
    write_line("end")


main()
