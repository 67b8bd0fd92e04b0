"""Train a small network to read handwritten digits with numpy: 98 % accuracy on unseen images within seconds.

It is easy to supervise, and to run manually (`supervision.py` has the parts that do not depend on the model):

* Progress is printed as one JSON object per line: `{"step": 120, "epoch": 3, "total_steps": 2640, "loss": 0.31, ...}`.
* A checkpoint holds everything that the next step depends on, so a resumed run continues as if it had never ended:
  with the same losses, bit for bit. It is written to a temporary file and renamed, so it is always complete.
* Ctrl-C (SIGINT) or SIGTERM saves a checkpoint at the next step boundary and exits; a second signal ends it at once.
* Options come from flags, or else from the `BACKPROP_*` environment that backprop-tui sets.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
import time
import zipfile
import zlib
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO

# Before numpy is imported. Such small matrices gain nothing from more threads, and a sum that is split among threads in
# another way has another result.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from digits import Digits, load_digits
from numpy.typing import NDArray
from supervision import (
    Cadence,
    CheckpointError,
    Checkpoints,
    StopRequest,
    at_least_one,
    check_settings,
    parser_of,
    report,
)

Floats = NDArray[np.float32]
Integers = NDArray[np.int64]
Weights = dict[str, Floats]

WEIGHT_NAMES = ("w1", "b1", "w2", "b2")
WEIGHT_KINDS = ("weights", "gradient_means", "gradient_squares")
KEPT_BY_DROPOUT = np.float32(0.5)
DECAY_OF_MEAN, DECAY_OF_SQUARE, EPSILON = 0.9, 0.999, 1e-8


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the loss curve depends on, named like the flags; a resumed run needs the same settings."""

    hidden: int
    batch_size: int
    lr: float
    seed: int


@dataclass(slots=True, kw_only=True)
class TrainingState:
    """Everything that the next step depends on besides the settings: the contents of a checkpoint."""

    step: int
    weights: Weights
    gradient_means: Weights
    gradient_squares: Weights
    order: Integers  # of the images, in the current epoch
    rng: np.random.Generator


def first_state(settings: Settings) -> TrainingState:
    rng = np.random.default_rng(settings.seed)
    shapes = {"w1": (64, settings.hidden), "b1": (settings.hidden,), "w2": (settings.hidden, 10), "b2": (10,)}
    # He et al. 2015 (arXiv:1502.01852): keeps the variance of the signal constant through ReLU layers.
    spread = {"w1": math.sqrt(2 / 64), "b1": 0.0, "w2": math.sqrt(2 / settings.hidden), "b2": 0.0}
    return TrainingState(
        step=0,
        weights={name: rng.normal(0, spread[name], shape).astype(np.float32) for name, shape in shapes.items()},
        gradient_means={name: np.zeros(shape, np.float32) for name, shape in shapes.items()},
        gradient_squares={name: np.zeros(shape, np.float32) for name, shape in shapes.items()},
        order=np.arange(0),
        rng=rng,
    )


def steps_per_epoch(settings: Settings, digits: Digits) -> int:
    """Return the number of full batches; the images left over are different in each epoch."""
    return max(1, len(digits.labels) // settings.batch_size)


def train_step(state: TrainingState, settings: Settings, digits: Digits) -> float:
    """Perform one training step and return the loss of its batch."""
    position = state.step % steps_per_epoch(settings, digits)
    if position == 0:
        state.order = state.rng.permutation(len(digits.labels))
    batch = state.order[position * settings.batch_size :][: settings.batch_size]
    kept = state.rng.random((len(batch), settings.hidden)) < KEPT_BY_DROPOUT
    dropout = kept.astype(np.float32) / KEPT_BY_DROPOUT
    loss, gradients = loss_and_gradients(state.weights, digits.images[batch], digits.labels[batch], dropout)
    state.step += 1
    update_weights(state, gradients, settings.lr)
    return loss


def loss_and_gradients(weights: Weights, images: Floats, labels: Integers, dropout: Floats) -> tuple[float, Weights]:
    """Return the mean cross-entropy of a batch, and its gradient with respect to each weight."""
    hidden = hidden_layer(weights, images) * dropout
    log_p = log_probabilities(weights, hidden)
    rows = np.arange(len(labels))
    error = np.exp(log_p)  # minus the one-hot label: the gradient with respect to the scores
    error[rows, labels] -= 1
    error /= np.float32(len(labels))
    hidden_error = (error @ weights["w2"].T) * (hidden > 0) * dropout
    gradients = {
        "w1": images.T @ hidden_error,
        "b1": hidden_error.sum(axis=0),
        "w2": hidden.T @ error,
        "b2": error.sum(axis=0),
    }
    return float(-log_p[rows, labels].mean()), gradients


def hidden_layer(weights: Weights, images: Floats) -> Floats:
    hidden: Floats = np.maximum(images @ weights["w1"] + weights["b1"], 0)
    return hidden


def log_probabilities(weights: Weights, hidden: Floats) -> Floats:
    scores = hidden @ weights["w2"] + weights["b2"]
    scores -= scores.max(axis=1, keepdims=True)  # so that exp cannot overflow
    log_p: Floats = scores - np.log(np.exp(scores).sum(axis=1, keepdims=True))
    return log_p


def update_weights(state: TrainingState, gradients: Weights, lr: float) -> None:
    """Update in place with Adam (Kingma and Ba 2014, arXiv:1412.6980, algorithm 1)."""
    mean_scale = 1 / (1 - DECAY_OF_MEAN**state.step)
    square_scale = 1 / (1 - DECAY_OF_SQUARE**state.step)
    for name, gradient in gradients.items():
        mean, square = state.gradient_means[name], state.gradient_squares[name]
        mean += (1 - DECAY_OF_MEAN) * (gradient - mean)
        square += (1 - DECAY_OF_SQUARE) * (gradient**2 - square)
        state.weights[name] -= lr * mean_scale * mean / (np.sqrt(square_scale * square) + EPSILON)


def evaluate(weights: Weights, digits: Digits) -> dict[str, float]:
    """Return the mean cross-entropy, and the accuracy from 0 to 1."""
    log_p = log_probabilities(weights, hidden_layer(weights, digits.images))
    loss = -log_p[np.arange(len(digits.labels)), digits.labels].mean()
    correct = log_p.argmax(axis=1) == digits.labels
    return {"val_loss": float(loss), "accuracy": float(correct.mean())}


def write_checkpoint(file: BinaryIO, state: TrainingState, settings: Settings) -> None:
    contents: dict[str, Any] = {
        "step": state.step,
        "order": state.order,
        "rng": json.dumps(state.rng.bit_generator.state),
        "settings": json.dumps(asdict(settings)),
    }
    for kind in WEIGHT_KINDS:
        contents |= {f"{kind}.{name}": array for name, array in getattr(state, kind).items()}
    np.savez(file, **contents)


def load_checkpoint(path: Path, settings: Settings) -> TrainingState:
    """Read the state that `write_checkpoint` wrote.

    Raises:
        CheckpointError: the file is missing, damaged, of another program, or of a run with other settings.
    """
    if not path.exists():
        raise CheckpointError(f"{path} does not exist")
    if not zipfile.is_zipfile(path):
        raise CheckpointError(f"{path} is not a complete .npz file")
    try:
        with np.load(path) as stored:
            arrays = {name: stored[name] for name in stored.files}
        check_settings(path, json.loads(str(arrays["settings"])), asdict(settings))
        rng = np.random.default_rng()
        rng.bit_generator.state = json.loads(str(arrays["rng"]))
        return TrainingState(
            step=int(arrays["step"]),
            order=arrays["order"],
            rng=rng,
            **{kind: {name: arrays[f"{kind}.{name}"] for name in WEIGHT_NAMES} for kind in WEIGHT_KINDS},
        )
    except KeyError as error:
        raise CheckpointError(f"{path} is not a checkpoint of this script: {error} is missing") from error
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise CheckpointError(f"{path} is damaged: {error}") from error


def train(state: TrainingState, settings: Settings, options: argparse.Namespace) -> int:
    """Train to the last epoch or a stop signal, and return the exit code: 128 + signal for an unfinished run."""
    stop = StopRequest()
    train_digits, test_digits = load_digits()
    batches = steps_per_epoch(settings, train_digits)
    total_steps = options.epochs * batches
    progress = Cadence(options.progress_every_seconds)
    checkpoints = Checkpoints(options, ".npz", lambda file: write_checkpoint(file, state, settings))
    run = os.environ.get("BACKPROP_RUN_ID")
    report(event="training_started", run=run, step=state.step, total_steps=total_steps)
    while state.step < total_steps and stop.signal_number is None:
        loss = train_step(state, settings, train_digits)
        if progress.due() or state.step == total_steps:
            epoch = (state.step - 1) // batches + 1
            measured = evaluate(state.weights, test_digits)
            report(step=state.step, epoch=epoch, total_steps=total_steps, loss=loss, **measured)
        checkpoints.save_if_due(state.step)
        time.sleep(options.pace)
    checkpoints.save_unless_saved(state.step)
    if state.step < total_steps and stop.signal_number is not None:
        return 128 + stop.signal_number
    report(event="training_finished", step=state.step, **evaluate(state.weights, test_digits))
    return 0


def parse_arguments() -> argparse.Namespace:
    parser = parser_of("Train a small network to read handwritten digits with numpy.")
    parser.add_argument("--epochs", type=at_least_one, default=60, help="passes over the training images")
    parser.add_argument("--hidden", type=at_least_one, default=256, help="neurons in the hidden layer")
    parser.add_argument("--batch-size", type=at_least_one, default=32, help="images per step")
    parser.add_argument("--lr", type=float, default=0.002, help="learning rate")
    parser.add_argument(
        "--seed", type=int, default=0, help="seed of the initial weights, the order of the images and dropout"
    )
    return parser.parse_args()


def main() -> int:
    options = parse_arguments()
    settings = Settings(hidden=options.hidden, batch_size=options.batch_size, lr=options.lr, seed=options.seed)
    try:
        state = load_checkpoint(options.resume_from, settings) if options.resume_from else first_state(settings)
    except CheckpointError as error:
        print(f"train_digits.py: cannot resume: {error}", file=sys.stderr)
        return 1
    return train(state, settings, options)


if __name__ == "__main__":
    sys.exit(main())
