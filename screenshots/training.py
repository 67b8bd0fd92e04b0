"""Simulates a training: it learns nothing, but prints like the training of a language model.

It prints the first steps all at once, so that curves and logs are long within seconds.
"""

from __future__ import annotations

import argparse
import math
import sys
import time
import zipfile
from pathlib import Path
from random import Random

from backprop_tui import report

PRINT_EVERY, EVALUATE_EVERY = 10, 500
BEST_LR = 6e-4


class OutOfMemoryError(RuntimeError):
    """Has the name of PyTorch's exception."""


OutOfMemoryError.__module__ = "torch"


def main() -> None:
    options = parse()
    print(f"number of parameters: {options.parameters}\nusing fused AdamW: True", flush=True)
    random = Random(f"{options.lr} {options.seed}")
    last_fast_step = round(options.total * options.begun)
    end = options.to + 0.5 * abs(math.log10(options.lr / BEST_LR)) + random.gauss(0, 0.03)
    for step in range(0, options.total + 1, PRINT_EVERY):
        if step > last_fast_step:
            time.sleep(options.pace)
        loss = end + 5.2 * math.exp(-5.5 * step / options.total) + random.gauss(0, 0.02)
        if step % EVALUATE_EVERY == 0:
            evaluate(step, loss, options, slowly=step > last_fast_step)
        milliseconds = 118 + random.gauss(0, 0.6)
        mfu = 40 * (1 - math.exp(-step / 4000))
        print(f"iter {step}: loss {loss:.4f}, time {milliseconds:.2f}ms, mfu {mfu:.2f}%", flush=True)
        if options.fails and step > last_fast_step:
            fail()
        if report.should_stop():
            save(step, options)
            return


def evaluate(step: int, loss: float, options: argparse.Namespace, *, slowly: bool) -> None:
    """Prints a validation loss, and saves a checkpoint at some steps."""
    if slowly:
        for done in range(0, 201, 10):
            bar = ("█" * (done // 20)).ljust(10)
            sys.stdout.write(f"\rEvaluating: {done // 2:3}%|{bar}| {done}/200 [00:0{done // 25}<00:08, 15.9it/s]")
            sys.stdout.flush()
            time.sleep(0.1)
        sys.stdout.write("\n")
    val_loss = loss + 0.12 * step / options.total + 0.02
    print(f"step {step}: train loss {loss:.4f}, val loss {val_loss:.4f}", flush=True)
    warmup, decay = min(1.0, (step + 1) / (options.total / 20)), 0.55 + 0.45 * math.cos(3 * step / options.total)
    norm = 0.4 + 2 * math.exp(-step / 6000)
    report.step(step, options.total, loss=loss, val_loss=val_loss, lr=options.lr * warmup * decay, grad_norm=norm)
    if step and step % (EVALUATE_EVERY * 8) == 0:
        save(step, options)


def save(step: int, options: argparse.Namespace) -> None:
    """Writes a file in the format of torch.save."""
    folder = Path(f"out-{options.out}")
    folder.mkdir(exist_ok=True)
    path = folder / f"ckpt_{step}.pt"
    print(f"saving checkpoint to {path}", flush=True)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", bytes(1_400_000))
    report.checkpoint(path, step)


def fail() -> None:
    """Fails like a training with too large a batch."""
    raise OutOfMemoryError(
        "CUDA out of memory. Tried to allocate 2.50 GiB. GPU 0 has a total capacity of 79.65 GiB of which 1.12 GiB is "
        "free."
    )


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("config", nargs="?", default="")
    parser.add_argument("--total", type=int, default=60000, help="steps")
    parser.add_argument("--begun", type=float, default=0.6, help="share of the steps that is printed at once")
    parser.add_argument("--pace", type=float, default=0.4, help="seconds for each printed line")
    parser.add_argument("--lr", type=float, default=BEST_LR)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--batch-size", type=int, default=12)
    parser.add_argument("--to", type=float, default=2.1, help="loss at the end")
    parser.add_argument("--out", default="lm")
    parser.add_argument("--parameters", default="123.59M")
    parser.add_argument("--fails", action="store_true")
    return parser.parse_args()


if __name__ == "__main__":
    main()
