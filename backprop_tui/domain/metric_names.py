"""What the name of a metric says: whether it is the loss, and whether less of it is better."""

from __future__ import annotations

from collections.abc import Iterable

_LOSSES = ("loss", "train_loss", "training_loss")
_LESS_IS_BETTER = ("loss", "error", "err", "perplexity", "ppl", "mae", "mse", "rmse", "wer", "cer", "fid", "nll", "bpb")
_MORE_IS_BETTER = ("acc", "accuracy", "f1", "auc", "bleu", "rouge", "recall", "precision", "map", "iou", "dice", "r2")
_NO_SCORES = ("scale", "weight", "lr", "rate", "norm", "time", "coef", "count")
_TRAINING = frozenset(("train", "training"))
_VALIDATION = ("val", "valid", "validation", "eval", "test")
_SEPARATORS = str.maketrans("/-.@: ", "______")


def main_loss(names: Iterable[str]) -> str | None:
    """The loss to show where there is room for one: that of training rather than another; None where there is none."""
    known = [name for name in names if "loss" in name.lower() and _words(name)[-1] not in _NO_SCORES]
    plain = [name for loss in _LOSSES for name in known if name.lower().translate(_SEPARATORS) == loss]
    of_training = [name for name in known if not set(_VALIDATION) & set(_words(name))]
    return next(iter((*plain, *of_training, *known)), None)


def less_is_better(name: str) -> bool | None:
    """None where the name does not tell."""
    words = _words(name)
    if words[-1] in _NO_SCORES:
        return None
    for word in reversed(words):  # the last word is what it is, those before say of what
        if word in _LESS_IS_BETTER:
            return True
        if word in _MORE_IS_BETTER or word.rstrip("0123456789") in _MORE_IS_BETTER:
            return False
    return None


def _words(name: str) -> list[str]:
    return name.lower().translate(_SEPARATORS).split("_")


def validation_of(name: str, names: Iterable[str]) -> str | None:
    """The metric that measures the same as `name` on data that is not trained on; None where none of `names` does."""
    known = list(names)
    for separator in "_/-. ":
        words = name.split(separator)
        bare = separator.join(word for word in words if word.lower() not in _TRAINING)
        for word in _VALIDATION:
            candidates = (f"{word}{separator}{bare}", f"{bare}{separator}{word}")
            found = [one for one in known if one.lower() in {each.lower() for each in candidates}]
            if found and found[0] != name:
                return found[0]
    return None
