"""Trains STEPS steps from the checkpoint `--resume PATH`, saving at each; with `--forgetful` it restarts anyway."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time

parser = argparse.ArgumentParser()
parser.add_argument("steps", type=int)
parser.add_argument("--resume", default="", type=str, metavar="PATH", help="path to latest checkpoint (default: none)")
parser.add_argument("--forgetful", action="store_true")
options = parser.parse_args()
begin = 0
if options.resume and not options.forgetful:
    with open(options.resume, encoding="ascii") as file:
        begin = json.load(file)["step"]
for step in range(begin + 1, begin + options.steps + 1):
    sys.stdout.write(json.dumps({"step": step, "loss": 4 - step / 30}) + "\n")
with open("ckpt.new", "w", encoding="ascii") as file:
    json.dump({"step": begin + options.steps}, file)
os.replace("ckpt.new", "ckpt.json")
sys.stdout.write(json.dumps({"event": "checkpoint_saved", "path": "ckpt.json", "step": begin + options.steps}) + "\n")
sys.stdout.flush()
time.sleep(60)
