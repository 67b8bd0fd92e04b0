"""Trains a small network to tell two rings of points apart: the standard library alone, on any CPU.

It knows nothing of backprop-tui but what any script may: variables that say where to save and what to go on from. It
prints a line in one of the forms that training scripts print, saves checkpoints, and saves when it is asked to end.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import random
import signal
import sys
import time

Point = tuple[float, float, int]  # x, y, which ring
POINTS, HELD_OUT = 480, 120
MFU_MILLISECONDS = 48.0  # a step this quick would use all of the simulated GPU


def rings(seed: int) -> list[Point]:
    """Points of an inner and an outer ring, blurred, so that the two cannot be told apart without any mistake."""
    chance = random.Random(seed)
    found = []
    for number in range(POINTS + HELD_OUT):
        ring, angle = number % 2, chance.uniform(0, 2 * math.pi)
        radius = 0.7 + 0.6 * ring
        x, y = radius * math.cos(angle), radius * math.sin(angle)
        found.append((x + chance.gauss(0, 0.17), y + chance.gauss(0, 0.17), ring))
    return found


class Network:
    """One hidden layer of tanh and a logistic output, trained by gradient descent with momentum."""

    def __init__(self, hidden: int, seed: int) -> None:
        chance = random.Random(seed + 1)
        # Of each hidden unit: its two weights, its bias, its weight in the output; then the output's bias.
        self.weights = [chance.gauss(0, 1.0) if place % 4 != 3 else chance.gauss(0, 0.3) for place in range(4 * hidden)]
        self.weights.append(0.0)
        self.speed = [0.0] * len(self.weights)

    def outputs(self, x: float, y: float) -> tuple[list[float], float]:
        """What the hidden units say, and the probability of the outer ring."""
        w = self.weights
        hidden = [math.tanh(w[at] * x + w[at + 1] * y + w[at + 2]) for at in range(0, len(w) - 1, 4)]
        total = w[-1] + sum(one * w[4 * place + 3] for place, one in enumerate(hidden))
        return hidden, 1 / (1 + math.exp(-max(-30.0, min(30.0, total))))

    def loss(self, points: list[Point]) -> float:
        """Cross entropy, in nats a point."""
        told = [(self.outputs(x, y)[1], ring) for x, y, ring in points]
        return -sum(math.log(max(1e-12, one if ring else 1 - one)) for one, ring in told) / len(told)

    def step(self, points: list[Point], lr: float) -> float:
        """One step of descent; the loss before it."""
        w, slope = self.weights, [0.0] * len(self.weights)
        loss = 0.0
        for x, y, ring in points:
            hidden, told = self.outputs(x, y)
            loss -= math.log(max(1e-12, told if ring else 1 - told))
            error = (told - ring) / len(points)
            slope[-1] += error
            for place, one in enumerate(hidden):
                at = 4 * place
                back = error * w[at + 3] * (1 - one * one)
                slope[at] += back * x
                slope[at + 1] += back * y
                slope[at + 2] += back
                slope[at + 3] += error * one
        self.speed = [0.9 * before - lr * each for before, each in zip(self.speed, slope, strict=True)]
        self.weights = [weight + each for weight, each in zip(w, self.speed, strict=True)]
        return loss / len(points)


class Printer:
    """Prints progress as one kind of training script does."""

    def __init__(self, form: str, steps: int, steps_an_epoch: int, lr: float) -> None:
        self._say = {
            "json": self._json,
            "keras": self._keras,
            "nanogpt": self._nanogpt,
            "huggingface": self._huggingface,
            "tqdm": self._tqdm,
            "plain": self._plain,
        }[form]
        self._steps, self._steps_an_epoch, self._lr = steps, steps_an_epoch, lr
        self._began = time.monotonic()

    def say(self, step: int, loss: float, val_loss: float | None) -> None:
        """After a step; `val_loss` None where it was not measured."""
        self._say(step, loss, val_loss)
        sys.stdout.flush()

    def _json(self, step: int, loss: float, val_loss: float | None) -> None:
        more = {} if val_loss is None else {"val_loss": round(val_loss, 4)}
        epoch = round(step / self._steps_an_epoch, 2)
        print(json.dumps({"step": step, "total_steps": self._steps, "epoch": epoch, "loss": round(loss, 4), **more}))

    def _keras(self, step: int, loss: float, val_loss: float | None) -> None:
        place = (step - 1) % self._steps_an_epoch + 1
        if place == 1:
            print(f"Epoch {step // self._steps_an_epoch + 1}/{self._steps // self._steps_an_epoch}")
        if place == self._steps_an_epoch:
            last = "" if val_loss is None else f" - val_loss: {val_loss:.4f}"
            seconds = (time.monotonic() - self._began) / step
            pace = f"{round(seconds * place)}s - {round(seconds * 1000)}ms/step"
            print(f"{place}/{place} - {pace} - loss: {loss:.4f}{last}")

    def _nanogpt(self, step: int, loss: float, val_loss: float | None) -> None:
        if val_loss is not None:
            print(f"step {step}: train loss {loss:.4f}, val loss {val_loss:.4f}")
        milliseconds = (time.monotonic() - self._began) * 1000 / step
        print(f"iter {step}: loss {loss:.4f}, time {milliseconds:.2f}ms, mfu {MFU_MILLISECONDS / milliseconds:.2%}")

    def _huggingface(self, step: int, loss: float, val_loss: float | None) -> None:
        epoch = f"{step / self._steps_an_epoch:.2f}"
        print({"loss": f"{loss:.4f}", "grad_norm": "0.8", "learning_rate": f"{self._lr:g}", "epoch": epoch})
        if val_loss is not None:
            print({"eval_loss": f"{val_loss:.4f}", "epoch": epoch})

    def _tqdm(self, step: int, loss: float, _val_loss: float | None) -> None:
        seconds = time.monotonic() - self._began
        full = "█" * (10 * step // self._steps)
        left = seconds / step * (self._steps - step)
        clocks = f"{int(seconds) // 60:02}:{int(seconds) % 60:02}<{int(left) // 60:02}:{int(left) % 60:02}"
        share = f"{100 * step // self._steps:3}%|{full:<10}| {step}/{self._steps}"
        print(
            f"\r{share} [{clocks}, {step / seconds:.2f}it/s, loss={loss:.4f}]", end="\n" if step == self._steps else ""
        )

    def _plain(self, step: int, loss: float, val_loss: float | None) -> None:
        more = "" if val_loss is None else f" val_loss={val_loss:.4f}"
        print(f"step={step}/{self._steps} loss={loss:.4f}{more} lr={self._lr:g}")


def checkpoint_folder() -> str:
    """Where the supervisor says, else beside where it was started."""
    return os.path.join(os.environ.get("BACKPROP_RUN_DIR") or os.getcwd(), "checkpoints")


def save(network: Network, step: int) -> None:
    """Written aside and renamed: what has its name is whole."""
    folder = checkpoint_folder()
    os.makedirs(folder, exist_ok=True)
    path = os.path.join(folder, f"step-{step:06}.json")
    with open(f"{path}.part", "w", encoding="ascii") as file:
        json.dump({"step": step, "weights": network.weights, "speed": network.speed}, file)
    os.replace(f"{path}.part", path)
    print(json.dumps({"event": "checkpoint_saved", "path": path, "step": step}), flush=True)


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--lr", type=float, default=0.1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--hidden", type=int, default=8)
    parser.add_argument("--steps", type=int, default=1500, help="a step is 24 points")
    parser.add_argument("--pace", type=float, default=0.08, help="seconds a step takes at least")
    parser.add_argument("--save-every", type=int, default=100, metavar="STEPS")
    parser.add_argument(
        "--print-as", default="json", choices=("json", "keras", "nanogpt", "huggingface", "tqdm", "plain")
    )
    parser.add_argument("--resume-from", default=os.environ.get("BACKPROP_RESUME_FROM"))
    return parser.parse_args()


def main() -> None:
    """Trains, and ends early when it is asked to."""
    told = arguments()
    asked_to_end: list[int] = []
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda number, _frame: asked_to_end.append(number))
    network, first = Network(told.hidden, told.seed), 1
    if told.resume_from:
        with open(told.resume_from, encoding="ascii") as file:
            saved = json.load(file)
        network.weights, network.speed, first = saved["weights"], saved["speed"], saved["step"] + 1
        print(f"going on from step {saved['step']}", flush=True)
    points = rings(told.seed)
    training, held_out = points[:POINTS], points[POINTS:]
    steps_an_epoch = POINTS // 24
    printer = Printer(told.print_as, told.steps, steps_an_epoch, told.lr)
    chance = random.Random(told.seed + first)
    for step in range(first, told.steps + 1):
        began = time.monotonic()
        loss = network.step(chance.sample(training, 24), told.lr)
        printer.say(step, loss, network.loss(held_out) if step % steps_an_epoch == 0 else None)
        if asked_to_end:
            save(network, step)
            sys.exit(128 + asked_to_end[0])
        if step % told.save_every == 0 or step == told.steps:
            save(network, step)
        time.sleep(max(0.0, told.pace - (time.monotonic() - began)))


if __name__ == "__main__":
    main()
