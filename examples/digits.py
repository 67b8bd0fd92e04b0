"""The digits that both examples learn to read: 1797 handwritten ones of 8 by 8 pixels (README.md has the source)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

TEST_IMAGES = 360  # a fifth


@dataclass(frozen=True, slots=True, kw_only=True)
class Digits:
    """Images as rows of 64 brightnesses from 0 to 1, and the digit that each one shows."""

    images: NDArray[np.float32]
    labels: NDArray[np.int64]


def load_digits() -> tuple[Digits, Digits]:
    """The images to train with and those to test with, split the same way whatever the seed of the run."""
    with np.load(Path(__file__).with_name("digits.npz")) as stored:
        images = stored["images"].reshape(-1, 64).astype(np.float32) / 16
        labels = stored["labels"].astype(np.int64)
    order = np.random.default_rng(0).permutation(len(images))
    test, train = np.split(order, [TEST_IMAGES])
    return Digits(images=images[train], labels=labels[train]), Digits(images=images[test], labels=labels[test])
