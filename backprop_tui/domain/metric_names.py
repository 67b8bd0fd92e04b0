"""Classifies metrics by name: which one is the loss, whether lower is better, which validates which."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

_LOSSES = ("loss", "train_loss", "training_loss")
_NO_LOSS = 100  # the rank of what is no loss
_LESS_IS_BETTER = ("loss", "error", "err", "perplexity", "ppl", "mae", "mse", "rmse", "wer", "cer", "fid", "nll", "bpb")
_MORE_IS_BETTER = ("acc", "accuracy", "f1", "auc", "bleu", "rouge", "recall", "precision", "map", "iou", "dice", "r2")
_NOT_SCORES = ("scale", "weight", "lr", "rate", "norm", "time", "coef", "count")
_TRAINING = frozenset(("train", "training"))
_VALIDATION = ("val", "valid", "validation", "eval", "test")
_SEPARATORS = str.maketrans("/-.@: ", "______")


def main_loss(names: Iterable[str]) -> str | None:
    """Returns the loss to show if there is room for one, preferably the training loss; None if there is none."""
    name = min(names, key=_loss_rank, default=None)
    return None if name is None or _loss_rank(name) == _NO_LOSS else name


@lru_cache(maxsize=1024)  # every repaint asks for the same names
def _loss_rank(name: str) -> int:
    """The place of a metric among the losses to show, from 0."""
    words = _name_words(name)
    if "loss" not in name.lower() or words[-1] in _NOT_SCORES:
        return _NO_LOSS
    plain = "_".join(words)
    if plain in _LOSSES:
        return _LOSSES.index(plain)
    return len(_LOSSES) if set(_VALIDATION).isdisjoint(words) else len(_LOSSES) + 1


def less_is_better(name: str) -> bool | None:
    """Whether lower values are better; None if the name does not tell."""
    words = _name_words(name)
    if words[-1] in _NOT_SCORES:
        return None
    for word in reversed(words):  # the last word names the quantity, the words before it say of what
        if word in _LESS_IS_BETTER:
            return True
        if word in _MORE_IS_BETTER or word.rstrip("0123456789") in _MORE_IS_BETTER:
            return False
    return None


def _name_words(name: str) -> list[str]:
    return name.lower().translate(_SEPARATORS).split("_")


def validation_counterpart(name: str, names: Iterable[str]) -> str | None:
    """Returns the metric among `names` that measures the same as `name` on validation data; None if there is none."""
    known = list(names)
    for separator in "_/-. ":
        words = name.split(separator)
        bare = separator.join(word for word in words if word.lower() not in _TRAINING)
        for word in _VALIDATION:
            candidates = {f"{word}{separator}{bare}".lower(), f"{bare}{separator}{word}".lower()}
            match = next((metric for metric in known if metric.lower() in candidates), name)
            if match != name:
                return match
    return None
