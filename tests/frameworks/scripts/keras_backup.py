"""A Keras model with `BackupAndRestore`, which resumes by itself; it does not use backprop-tui."""

from __future__ import annotations

import sys
import time

import keras
import numpy as np


class Slow(keras.callbacks.Callback):
    """Makes each step slower, like one of a large model."""

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        time.sleep(0.02)


keras.utils.set_random_seed(0)
inputs = np.random.default_rng(0).normal(size=(320, 8)).astype("float32")
targets = inputs.sum(1, keepdims=True)
model = keras.Sequential([keras.Input((8,)), keras.layers.Dense(1)])
model.compile("adam", "mse", metrics=["mae"])
callbacks = [
    Slow(),
    keras.callbacks.BackupAndRestore("backup"),
    keras.callbacks.ModelCheckpoint("best.keras", monitor="loss", save_best_only=True, verbose=1),
    keras.callbacks.CSVLogger("metrics.csv", append=True),
]
model.fit(inputs, targets, batch_size=16, epochs=500, verbose=int(sys.argv[1]), callbacks=callbacks)
