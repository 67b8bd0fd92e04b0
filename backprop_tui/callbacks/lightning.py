"""For `lightning.Trainer`: reports metrics and checkpoints, and saves and stops when the run should end.

trainer = lightning.Trainer(..., callbacks=[BackpropCallback()])
trainer.fit(model, ckpt_path=report.resume_from())
"""

from __future__ import annotations

import os
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint

from backprop_tui import report
from backprop_tui.callbacks.agreement import Agreement


class BackpropCallback(Callback):
    """Reports every `log_every_n_steps` of the trainer and after each validation; use a new object per training."""

    def __init__(self) -> None:
        self._agreement = Agreement()
        self._total: float | None = None
        self._reported: dict[str, int] = {}  # path and modification time

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        broadcast = trainer.strategy.broadcast if trainer.world_size > 1 else None
        self._agreement = Agreement(broadcast)
        total = trainer.estimated_stepping_batches
        self._total = total if 0 < total < float("inf") else None
        self._reported = self._saved_by_others(trainer)  # from earlier attempts

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        self._report_saved(trainer)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if trainer.global_step % max(1, trainer.log_every_n_steps) == 0:
            self._report_metrics(trainer)
        if self._agreement.reached():
            self._save_and_stop(trainer)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if not trainer.sanity_checking:
            self._report_metrics(trainer)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._report_saved(trainer)

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._report_saved(trainer)

    def _report_metrics(self, trainer: Trainer) -> None:
        if trainer.is_global_zero:
            metrics = {name: value.item() for name, value in trainer.callback_metrics.items() if value.numel() == 1}
            report.step(trainer.global_step, self._total, epoch=trainer.current_epoch, **metrics)

    def _report_saved(self, trainer: Trainer) -> None:
        """Reports what Lightning's checkpoint callbacks saved; they run after all others, so this is one event late."""
        if trainer.is_global_zero:
            saved = self._saved_by_others(trainer)
            new = [path for path in saved if saved[path] != self._reported.get(path)]
            for path in sorted(new, key=lambda path: saved[path]):
                report.checkpoint(path, trainer.global_step)
            self._reported = saved

    @staticmethod
    def _saved_by_others(trainer: Trainer) -> dict[str, int]:
        paths: set[str] = set()
        for callback in trainer.checkpoint_callbacks:
            if isinstance(callback, ModelCheckpoint):
                paths |= {callback.best_model_path, callback.last_model_path, *callback.best_k_models}
        return {path: os.stat(path).st_mtime_ns for path in paths if os.path.exists(path)}

    def _save_and_stop(self, trainer: Trainer) -> None:
        folder = getattr(trainer.checkpoint_callback, "dirpath", None) or trainer.default_root_dir
        path = os.path.join(folder, f"stopped-step={trainer.global_step}.ckpt")
        trainer.save_checkpoint(path)  # must be called on all ranks
        if trainer.is_global_zero:
            report.checkpoint(path, trainer.global_step)
        # Otherwise it would validate first, which may exceed the grace period, or train up to min_epochs or min_steps.
        trainer.limit_val_batches = 0
        trainer.fit_loop.min_epochs = trainer.fit_loop.epoch_loop.min_steps = 0
        trainer.should_stop = True
