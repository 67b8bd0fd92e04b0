"""A minimal PyTorch training with full supervision: it reports steps and checkpoints, stops on request, and resumes.

backprop-tui run -m 1 --total-minutes 3 examples/report_torch.py
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import torch
from torch import nn

from backprop_tui import report


def save(path: Path, step: int, model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    """Write to a temporary file and rename it: the file is complete even if the process is killed meanwhile."""
    unfinished = path.with_suffix(".tmp")
    torch.save({"step": step, "model": model.state_dict(), "optimizer": optimizer.state_dict()}, unfinished)
    unfinished.replace(path)
    report.checkpoint(path, step)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=3000)
    parser.add_argument("--pace", type=float, default=0.05, help="seconds to sleep after each step")
    options = parser.parse_args()

    torch.manual_seed(0)
    inputs = torch.randn(1024, 16)
    targets = inputs.sin().sum(1, keepdim=True)
    model = nn.Sequential(nn.Linear(16, 64), nn.Tanh(), nn.Linear(64, 1))
    optimizer = torch.optim.Adam(model.parameters())
    done = 0
    if path := report.resume_from():
        saved = torch.load(path)
        model.load_state_dict(saved["model"])
        optimizer.load_state_dict(saved["optimizer"])
        done = saved["step"]

    for step in range(done + 1, options.steps + 1):
        loss = nn.functional.mse_loss(model(inputs), targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        report.step(step, options.steps, loss=loss)
        stop = report.should_stop()
        if stop or step % 100 == 0 or step == options.steps:
            save(Path("report_torch.pt"), step, model, optimizer)
        if stop:
            return
        time.sleep(options.pace)


if __name__ == "__main__":
    main()
