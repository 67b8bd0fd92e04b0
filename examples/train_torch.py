"""Train a small convolutional network to read handwritten digits with PyTorch, on a GPU if there is one.

Like `train_digits.py` it prints JSON progress, writes complete checkpoints, saves on SIGINT, and resumes exactly. For
that a checkpoint holds the weights, the optimizer, the order of the images, and the state of each random
generator in use: the CPU's for the order, the GPU's for dropout.
"""

from __future__ import annotations

import argparse
import os
import pickle
import sys
import time
import zipfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO

# Before CUDA is loaded: without it cuBLAS may sum in a different order each time, and torch rejects deterministic mode.
os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")

import torch
from digits import Digits, load_digits
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
from torch import Tensor, nn


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the loss curve depends on, named like the flags; a resumed run needs the same settings."""

    hidden: int
    batch_size: int
    lr: float
    seed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Images (count, 1, 8, 8) and their digits (count), on the training device."""

    images: Tensor
    labels: Tensor


@dataclass(slots=True, kw_only=True)
class TrainingState:
    """What the next step depends on, besides the settings and torch's own random generators."""

    step: int
    model: nn.Module
    optimizer: torch.optim.Optimizer
    order: Tensor  # of the images, in the current epoch; on the CPU


def first_state(settings: Settings, device: torch.device) -> TrainingState:
    torch.manual_seed(settings.seed)
    model = nn.Sequential(
        *(nn.Conv2d(1, 16, kernel_size=3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(16, 32, kernel_size=3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Flatten(), nn.Linear(32 * 2 * 2, settings.hidden), nn.ReLU(), nn.Dropout(0.5)),
        nn.Linear(settings.hidden, 10),
    ).to(device)
    optimizer = torch.optim.Adam(model.parameters(), lr=settings.lr)
    return TrainingState(step=0, model=model, optimizer=optimizer, order=torch.arange(0))


def steps_per_epoch(settings: Settings, digits: Batch) -> int:
    """Return the number of full batches; the images left over are different in each epoch."""
    return max(1, len(digits.labels) // settings.batch_size)


def train_step(state: TrainingState, settings: Settings, digits: Batch) -> float:
    """Perform one training step and return the loss of its batch."""
    position = state.step % steps_per_epoch(settings, digits)
    if position == 0:
        state.order = torch.randperm(len(digits.labels))
    batch = state.order[position * settings.batch_size :][: settings.batch_size].to(digits.labels.device)
    loss = nn.functional.cross_entropy(state.model(digits.images[batch]), digits.labels[batch])
    state.optimizer.zero_grad()
    loss.backward()
    state.optimizer.step()
    state.step += 1
    return loss.item()


@torch.no_grad()
def evaluate(model: nn.Module, digits: Batch) -> dict[str, float]:
    """Return the mean cross-entropy, and the accuracy from 0 to 1."""
    model.eval()  # no dropout, so it draws no random numbers either
    scores = model(digits.images)
    model.train()
    correct = scores.argmax(dim=1) == digits.labels
    loss = nn.functional.cross_entropy(scores, digits.labels)
    return {"val_loss": loss.item(), "accuracy": correct.double().mean().item()}


def write_checkpoint(file: BinaryIO, state: TrainingState, settings: Settings) -> None:
    contents = {
        "settings": asdict(settings),
        "step": state.step,
        "model": state.model.state_dict(),
        "optimizer": state.optimizer.state_dict(),
        "order": state.order,
        "cpu_rng": torch.get_rng_state(),
        "cuda_rng": torch.cuda.get_rng_state() if torch.cuda.is_available() else None,
    }
    torch.save(contents, file)


def load_checkpoint(path: Path, settings: Settings, device: torch.device) -> TrainingState:
    """Read the state that `write_checkpoint` wrote, possibly on another device.

    Raises:
        CheckpointError: the file is missing, damaged, of another program, or of a run with other settings.
    """
    contents = read_checkpoint(path, device)
    try:
        check_settings(path, contents["settings"], asdict(settings))
        state = first_state(settings, device)
        state.step = contents["step"]
        state.model.load_state_dict(contents["model"])
        state.optimizer.load_state_dict(contents["optimizer"])
        # map_location moved these to the GPU as well.
        state.order = contents["order"].cpu()
        torch.set_rng_state(contents["cpu_rng"].cpu())
        if contents["cuda_rng"] is not None and torch.cuda.is_available():
            torch.cuda.set_rng_state(contents["cuda_rng"].cpu())
    except KeyError as error:
        raise CheckpointError(f"{path} is not a checkpoint of this script: {error} is missing") from error
    except (RuntimeError, ValueError) as error:
        raise CheckpointError(f"{path} does not fit this network: {error}") from error
    return state


def read_checkpoint(path: Path, device: torch.device) -> dict[str, Any]:
    """Read a file of `torch.save` without running any code that it may contain.

    Raises:
        CheckpointError: the file is missing, damaged or not a checkpoint.
    """
    if not path.exists():
        raise CheckpointError(f"{path} does not exist")
    if not zipfile.is_zipfile(path):
        raise CheckpointError(f"{path} is not a complete PyTorch file")
    try:
        contents = torch.load(path, map_location=device, weights_only=True)
    except (RuntimeError, OSError, EOFError, ValueError, KeyError, pickle.UnpicklingError) as error:
        raise CheckpointError(f"{path} is damaged: {error}") from error
    if not isinstance(contents, dict):
        raise CheckpointError(f"{path} is not a checkpoint of this script: it contains a {type(contents).__name__}")
    return contents


def on_device(digits: Digits, device: torch.device) -> Batch:
    images = torch.from_numpy(digits.images).reshape(-1, 1, 8, 8)
    return Batch(images=images.to(device), labels=torch.from_numpy(digits.labels).to(device))


def train(state: TrainingState, settings: Settings, options: argparse.Namespace, device: torch.device) -> int:
    """Train to the last epoch or a stop signal, and return the exit code: 128 + signal for an unfinished run."""
    stop = StopRequest()
    train_digits, test_digits = (on_device(digits, device) for digits in load_digits())
    batches = steps_per_epoch(settings, train_digits)
    total_steps = options.epochs * batches
    progress = Cadence(options.progress_every_seconds)
    checkpoints = Checkpoints(options, ".pt", lambda file: write_checkpoint(file, state, settings))
    run = os.environ.get("BACKPROP_RUN_ID")
    report(event="training_started", run=run, device=str(device), step=state.step, total_steps=total_steps)
    while state.step < total_steps and stop.signal_number is None:
        loss = train_step(state, settings, train_digits)
        if progress.due() or state.step == total_steps:
            epoch = (state.step - 1) // batches + 1
            measured = evaluate(state.model, test_digits)
            report(step=state.step, epoch=epoch, total_steps=total_steps, loss=loss, **measured)
        checkpoints.save_if_due(state.step)
        time.sleep(options.pace)
    checkpoints.save_unless_saved(state.step)
    if state.step < total_steps and stop.signal_number is not None:
        return 128 + stop.signal_number
    report(event="training_finished", step=state.step, **evaluate(state.model, test_digits))
    return 0


def parse_arguments() -> argparse.Namespace:
    parser = parser_of("Train a small network to read handwritten digits with PyTorch.")
    parser.add_argument("--epochs", type=at_least_one, default=40, help="passes over the training images")
    parser.add_argument("--hidden", type=at_least_one, default=128, help="neurons in the hidden layer")
    parser.add_argument("--batch-size", type=at_least_one, default=32, help="images per step")
    parser.add_argument("--lr", type=float, default=0.002, help="learning rate")
    parser.add_argument(
        "--seed", type=int, default=0, help="seed of the initial weights, the order of the images and dropout"
    )
    return parser.parse_args()


def main() -> int:
    options = parse_arguments()
    settings = Settings(hidden=options.hidden, batch_size=options.batch_size, lr=options.lr, seed=options.seed)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    # An exact resume needs deterministic sums, split among the same number of threads each time.
    torch.use_deterministic_algorithms(mode=True)
    torch.set_num_threads(1)
    try:
        resume_from = options.resume_from
        state = load_checkpoint(resume_from, settings, device) if resume_from else first_state(settings, device)
    except CheckpointError as error:
        print(f"train_torch.py: cannot resume: {error}", file=sys.stderr)
        return 1
    return train(state, settings, options, device)


if __name__ == "__main__":
    sys.exit(main())
