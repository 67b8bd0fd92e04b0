"""Stands for a training: prints its progress, saves every 20 steps, and continues from a checkpoint."""

import argparse
import json
import os
import pickle
import time

parser = argparse.ArgumentParser()
parser.add_argument("--lr", type=float, default=1e-3)
parser.add_argument("--seed", type=int, default=0)
parser.add_argument("--steps", type=int, default=40)
parser.add_argument("--out", default="")
parser.add_argument("--resume")
args = parser.parse_args()

out = args.out or os.path.join("saves", os.environ.get("BACKPROP_RUN_ID", "here"))
os.makedirs(out, exist_ok=True)
start = 0
if args.resume:
    with open(args.resume, "rb") as file:
        start = pickle.load(file)["step"]

for step in range(start + 1, args.steps + 1):
    time.sleep(0.01)
    loss = 2 / (step + 10 * args.lr)
    print(json.dumps({"step": step, "total_steps": args.steps, "loss": round(loss, 4), "val_loss": round(loss, 4)}))
    if step % 20 == 0:
        path = f"{out}/step-{step}.pt"
        with open(path, "wb") as file:
            pickle.dump({"step": step, "weights": [0.0] * 500}, file)
        print(json.dumps({"event": "checkpoint_saved", "path": path, "step": step}))
