"""A Keras model whose `fit` can be stopped at any step, saves, and is resumed by loading the model.

KERAS_BACKEND=torch backprop-tui run -m 1 --total-minutes 3 examples/keras_fit.py
"""

from __future__ import annotations

import argparse
import time

import keras
import numpy as np

from backprop_tui import report
from backprop_tui.callbacks.keras import BackpropCallback

SAMPLES, BATCH = 512, 16


class Slow(keras.callbacks.Callback):
    """Makes each step slower, like one of a large model."""

    def __init__(self, pace: float) -> None:
        super().__init__()
        self._pace = pace

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        time.sleep(self._pace)


def build() -> keras.Model:
    model = keras.Sequential([keras.Input((8,)), keras.layers.Dense(32, "tanh"), keras.layers.Dense(1)])
    model.compile("adam", "mse", metrics=["mae"])
    return model


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=100)
    parser.add_argument("--pace", type=float, default=0.05, help="seconds to sleep after each step")
    options = parser.parse_args()

    keras.utils.set_random_seed(0)
    inputs = np.random.default_rng(0).normal(size=(SAMPLES, 8)).astype("float32")
    targets = np.sin(inputs).sum(1, keepdims=True)
    saved = report.resume_from()
    model = keras.models.load_model(saved) if saved else build()
    callback = BackpropCallback("keras_fit")
    model.fit(
        inputs,
        targets,
        batch_size=BATCH,
        epochs=options.epochs,
        initial_epoch=callback.epochs_done(model, SAMPLES // BATCH),
        verbose=2,
        callbacks=[Slow(options.pace), callback],
    )


if __name__ == "__main__":
    main()
