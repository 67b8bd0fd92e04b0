"""A LightningModule and its Trainer, without backprop-tui."""

from __future__ import annotations

import argparse
import time

import lightning
import torch
from lightning.pytorch.callbacks import ModelCheckpoint, TQDMProgressBar
from lightning.pytorch.loggers import CSVLogger
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset


class Regression(lightning.LightningModule):
    """Learns a sum."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Linear(8, 1)

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        time.sleep(0.03)
        loss = nn.functional.mse_loss(self.net(batch[0]), batch[1])
        self.log("train_loss", loss, prog_bar=True)
        return loss

    def validation_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        self.log("val_loss", nn.functional.mse_loss(self.net(batch[0]), batch[1]), prog_bar=True)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), 0.01)


parser = argparse.ArgumentParser()
parser.add_argument("--ckpt_path")
parser.add_argument("--bar", choices=("tqdm", "default"), default="tqdm")
options = parser.parse_args()
lightning.seed_everything(0)
inputs = torch.randn(320, 8)
examples = TensorDataset(inputs, inputs.sum(1, keepdim=True))
callbacks: list[lightning.Callback] = [ModelCheckpoint(monitor="val_loss", save_top_k=2, save_last=True)]
if options.bar == "tqdm":
    callbacks.append(TQDMProgressBar())
trainer = lightning.Trainer(
    max_epochs=500, accelerator="cpu", logger=CSVLogger("logs"), log_every_n_steps=5, callbacks=callbacks
)
trainer.fit(Regression(), DataLoader(examples, 16), DataLoader(examples, 64), ckpt_path=options.ckpt_path)
