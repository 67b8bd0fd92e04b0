"""For Keras' `fit`: reports metrics, saves after each epoch, and saves and stops when the run should end.

saved = report.resume_from()
model = keras.models.load_model(saved) if saved else build()
callback = BackpropCallback("checkpoints")
model.fit(..., initial_epoch=callback.epochs_done(model, steps_per_epoch), callbacks=[callback])
"""

from __future__ import annotations

import os
import time
from typing import Any

import keras

from backprop_tui import report

REPORT_EVERY_SECONDS = 1.0


class BackpropCallback(keras.callbacks.Callback):
    """Saves whole models, including the optimizer, as `FOLDER/step-N.keras`; keeps the last `keep` of its own files."""

    def __init__(self, folder: str, keep: int = 2) -> None:
        super().__init__()
        self._folder = folder
        self._keep = keep
        self._saved: list[str] = []
        self._report_at = 0.0
        self._epoch = 0

    @staticmethod
    def epochs_done(model: keras.Model, steps_per_epoch: int) -> int:
        """Returns how many whole epochs a loaded model was trained; a partial epoch is repeated."""
        return int(model.optimizer.iterations) // steps_per_epoch

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._epoch = epoch

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        now = time.monotonic()
        if now >= self._report_at:
            self._report_at = now + REPORT_EVERY_SECONDS
            self._report_step(logs)
        if report.should_stop():
            self._save()
            self.model.stop_training = True

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._report_step(logs)
        self._save()

    def _report_step(self, logs: dict[str, Any] | None) -> None:
        steps, epochs = self.params.get("steps"), self.params.get("epochs")
        total = steps * epochs if steps and epochs else None
        report.step(int(self.model.optimizer.iterations), total, epoch=self._epoch, **(logs or {}))

    def _save(self) -> None:
        step = int(self.model.optimizer.iterations)
        path = os.path.join(self._folder, f"step-{step}.keras")
        if path in self._saved:
            return
        os.makedirs(self._folder, exist_ok=True)
        unfinished = os.path.join(self._folder, f"unfinished-{os.getpid()}.keras")
        self.model.save(unfinished)
        os.replace(unfinished, path)
        report.checkpoint(path, step)
        self._saved.append(path)
        for old in self._saved[: -self._keep]:
            if os.path.exists(old):
                os.remove(old)
        del self._saved[: -self._keep]
