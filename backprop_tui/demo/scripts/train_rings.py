"""Trains a small network to tell two rings of points apart, with the standard library only, on any CPU.

It uses nothing of backprop-tui except environment variables that say where to save and what to resume from. It prints
progress in the format of one of several training frameworks, and saves checkpoints, also when it is asked to stop.
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
MFU_MILLISECONDS = 48.0  # a step of this duration would use all of the simulated GPU


def rings(seed: int) -> list[Point]:
    """Returns points of an inner and an outer ring with noise, so that the rings overlap."""
    rng = random.Random(seed)
    points = []
    for number in range(POINTS + HELD_OUT):
        ring, angle = number % 2, rng.uniform(0, 2 * math.pi)
        radius = 0.7 + 0.6 * ring
        x, y = radius * math.cos(angle), radius * math.sin(angle)
        points.append((x + rng.gauss(0, 0.17), y + rng.gauss(0, 0.17), ring))
    return points


class Network:
    """One hidden tanh layer and a logistic output, trained by gradient descent with momentum."""

    def __init__(self, hidden: int, seed: int) -> None:
        rng = random.Random(seed + 1)
        # For each hidden unit its two weights, its bias and its output weight; then the output's bias.
        self.weights = [rng.gauss(0, 1.0) if index % 4 != 3 else rng.gauss(0, 0.3) for index in range(4 * hidden)]
        self.weights.append(0.0)
        self.speed = [0.0] * len(self.weights)

    def outputs(self, x: float, y: float) -> tuple[list[float], float]:
        """Returns the hidden activations, and the probability of the outer ring."""
        w = self.weights
        hidden = [math.tanh(w[start] * x + w[start + 1] * y + w[start + 2]) for start in range(0, len(w) - 1, 4)]
        total = w[-1] + sum(activation * w[4 * unit + 3] for unit, activation in enumerate(hidden))
        return hidden, 1 / (1 + math.exp(-max(-30.0, min(30.0, total))))

    def loss(self, points: list[Point]) -> float:
        """Returns the cross entropy in nats per point."""
        predictions = [(self.outputs(x, y)[1], ring) for x, y, ring in points]
        return -sum(math.log(max(1e-12, p if ring else 1 - p)) for p, ring in predictions) / len(predictions)

    def step(self, points: list[Point], lr: float) -> float:
        """Performs one gradient step; returns the loss before it."""
        w, gradient = self.weights, [0.0] * len(self.weights)
        loss = 0.0
        for x, y, ring in points:
            hidden, p = self.outputs(x, y)
            loss -= math.log(max(1e-12, p if ring else 1 - p))
            error = (p - ring) / len(points)
            gradient[-1] += error
            for unit, activation in enumerate(hidden):
                start = 4 * unit
                back = error * w[start + 3] * (1 - activation * activation)
                gradient[start] += back * x
                gradient[start + 1] += back * y
                gradient[start + 2] += back
                gradient[start + 3] += error * activation
        self.speed = [0.9 * speed - lr * slope for speed, slope in zip(self.speed, gradient, strict=True)]
        self.weights = [weight + speed for weight, speed in zip(w, self.speed, strict=True)]
        return loss / len(points)


class Printer:
    """Prints progress in the format of a training framework."""

    def __init__(self, style: str, steps: int, steps_per_epoch: int, lr: float) -> None:
        self._print = {
            "json": self._json,
            "keras": self._keras,
            "nanogpt": self._nanogpt,
            "huggingface": self._huggingface,
            "tqdm": self._tqdm,
            "plain": self._plain,
        }[style]
        self._steps, self._steps_per_epoch, self._lr = steps, steps_per_epoch, lr
        self._started = time.monotonic()

    def report(self, step: int, loss: float, val_loss: float | None) -> None:
        """Prints the progress after a step; `val_loss` is None if it was not measured."""
        self._print(step, loss, val_loss)
        sys.stdout.flush()

    def _json(self, step: int, loss: float, val_loss: float | None) -> None:
        extra = {} if val_loss is None else {"val_loss": round(val_loss, 4)}
        epoch = round(step / self._steps_per_epoch, 2)
        print(json.dumps({"step": step, "total_steps": self._steps, "epoch": epoch, "loss": round(loss, 4), **extra}))

    def _keras(self, step: int, loss: float, val_loss: float | None) -> None:
        batch = (step - 1) % self._steps_per_epoch + 1
        if batch == 1:
            print(f"Epoch {step // self._steps_per_epoch + 1}/{self._steps // self._steps_per_epoch}")
        if batch == self._steps_per_epoch:
            last = "" if val_loss is None else f" - val_loss: {val_loss:.4f}"
            seconds = (time.monotonic() - self._started) / step
            pace = f"{round(seconds * batch)}s - {round(seconds * 1000)}ms/step"
            print(f"{batch}/{batch} - {pace} - loss: {loss:.4f}{last}")

    def _nanogpt(self, step: int, loss: float, val_loss: float | None) -> None:
        if val_loss is not None:
            print(f"step {step}: train loss {loss:.4f}, val loss {val_loss:.4f}")
        milliseconds = (time.monotonic() - self._started) * 1000 / step
        print(f"iter {step}: loss {loss:.4f}, time {milliseconds:.2f}ms, mfu {MFU_MILLISECONDS / milliseconds:.2%}")

    def _huggingface(self, step: int, loss: float, val_loss: float | None) -> None:
        epoch = f"{step / self._steps_per_epoch:.2f}"
        print({"loss": f"{loss:.4f}", "grad_norm": "0.8", "learning_rate": f"{self._lr:g}", "epoch": epoch})
        if val_loss is not None:
            print({"eval_loss": f"{val_loss:.4f}", "epoch": epoch})

    def _tqdm(self, step: int, loss: float, _val_loss: float | None) -> None:
        seconds = time.monotonic() - self._started
        full = "█" * (10 * step // self._steps)
        left = seconds / step * (self._steps - step)
        clocks = f"{int(seconds) // 60:02}:{int(seconds) % 60:02}<{int(left) // 60:02}:{int(left) % 60:02}"
        share = f"{100 * step // self._steps:3}%|{full:<10}| {step}/{self._steps}"
        print(
            f"\r{share} [{clocks}, {step / seconds:.2f}it/s, loss={loss:.4f}]", end="\n" if step == self._steps else ""
        )

    def _plain(self, step: int, loss: float, val_loss: float | None) -> None:
        extra = "" if val_loss is None else f" val_loss={val_loss:.4f}"
        print(f"step={step}/{self._steps} loss={loss:.4f}{extra} lr={self._lr:g}")


def checkpoint_folder() -> str:
    """Returns the folder for checkpoints: in the run's directory, else in the working directory."""
    return os.path.join(os.environ.get("BACKPROP_RUN_DIR") or os.getcwd(), "checkpoints")


def save(network: Network, step: int) -> None:
    """Saves a checkpoint to a temporary file and renames it, so that a checkpoint is always complete."""
    folder = checkpoint_folder()
    os.makedirs(folder, exist_ok=True)
    path = os.path.join(folder, f"step-{step:06}.json")
    with open(f"{path}.part", "w", encoding="ascii") as file:
        json.dump({"step": step, "weights": network.weights, "speed": network.speed}, file)
    os.replace(f"{path}.part", path)
    print(json.dumps({"event": "checkpoint_saved", "path": path, "step": step}), flush=True)


def arguments() -> argparse.Namespace:
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
    """Trains, and saves and exits early on SIGINT or SIGTERM."""
    options = arguments()
    stop_signals: list[int] = []
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda number, _frame: stop_signals.append(number))
    network, first = Network(options.hidden, options.seed), 1
    if options.resume_from:
        with open(options.resume_from, encoding="ascii") as file:
            saved = json.load(file)
        network.weights, network.speed, first = saved["weights"], saved["speed"], saved["step"] + 1
        print(f"resuming from step {saved['step']}", flush=True)
    points = rings(options.seed)
    training, held_out = points[:POINTS], points[POINTS:]
    steps_per_epoch = POINTS // 24
    printer = Printer(options.print_as, options.steps, steps_per_epoch, options.lr)
    rng = random.Random(options.seed + first)
    for step in range(first, options.steps + 1):
        started = time.monotonic()
        loss = network.step(rng.sample(training, 24), options.lr)
        printer.report(step, loss, network.loss(held_out) if step % steps_per_epoch == 0 else None)
        if stop_signals:
            save(network, step)
            sys.exit(128 + stop_signals[0])
        if step % options.save_every == 0 or step == options.steps:
            save(network, step)
        time.sleep(max(0.0, options.pace - (time.monotonic() - started)))


if __name__ == "__main__":
    main()
