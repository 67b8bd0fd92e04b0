"""The data set of both examples: 1797 handwritten digits of 8 by 8 pixels (README.md names the source)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

TEST_IMAGES = 360  # a fifth


@dataclass(frozen=True, slots=True, kw_only=True)
class Digits:
    """Images as rows of 64 brightness values from 0 to 1, and the digit in each of them."""

    images: NDArray[np.float32]
    labels: NDArray[np.int64]


def load_digits() -> tuple[Digits, Digits]:
    """Returns the training set and the test set; the split does not depend on the run's seed."""
    with np.load(Path(__file__).with_name("digits.npz")) as stored:
        images = stored["images"].reshape(-1, 64).astype(np.float32) / 16
        labels = stored["labels"].astype(np.int64)
    order = np.random.default_rng(0).permutation(len(images))
    test, train = np.split(order, [TEST_IMAGES])
    return Digits(images=images[train], labels=labels[train]), Digits(images=images[test], labels=labels[test])
