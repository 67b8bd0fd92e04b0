"""A Lightning Trainer that can be stopped at any step, saves, and resumes: a callback and one argument.

backprop-tui run -m 1 --total-minutes 3 examples/lightning_trainer.py
"""

from __future__ import annotations

import argparse
import time

import lightning
import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from backprop_tui import report
from backprop_tui.callbacks.lightning import BackpropCallback

Batch = tuple[Tensor, Tensor]


class Regression(lightning.LightningModule):
    """Learns a sum of sines."""

    def __init__(self, pace: float) -> None:
        super().__init__()
        self._pace = pace
        self.net = nn.Sequential(nn.Linear(8, 32), nn.Tanh(), nn.Linear(32, 1))

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        time.sleep(self._pace)
        inputs, targets = batch
        loss = nn.functional.mse_loss(self.net(inputs), targets)
        self.log("train_loss", loss, prog_bar=True)
        return loss

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        inputs, targets = batch
        self.log("val_loss", nn.functional.mse_loss(self.net(inputs), targets), prog_bar=True)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=100)
    parser.add_argument("--pace", type=float, default=0.05, help="seconds to sleep in each step")
    options = parser.parse_args()

    lightning.seed_everything(0)
    inputs = torch.randn(512, 8)
    examples = TensorDataset(inputs, inputs.sin().sum(1, keepdim=True))
    trainer = lightning.Trainer(
        max_epochs=options.epochs,
        log_every_n_steps=5,
        default_root_dir="lightning_trainer",
        callbacks=[ModelCheckpoint(save_last=True), BackpropCallback()],
    )
    loaders = DataLoader(examples, 16, shuffle=True), DataLoader(examples, 64)
    trainer.fit(Regression(options.pace), *loaders, ckpt_path=report.resume_from())


if __name__ == "__main__":
    main()
