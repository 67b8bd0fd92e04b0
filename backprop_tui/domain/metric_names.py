"""What the names of metrics imply: which direction is better, what is of validation data, and which loss is shown."""

from __future__ import annotations

import re
from collections.abc import Iterable
from enum import StrEnum
from functools import lru_cache
from itertools import pairwise

from backprop_tui.domain.word_set import word_set

_NO_LOSS = 100  # the rank of a metric that is not a loss
_SHOWN_LOSSES = ("loss", "train_loss", "training_loss")


class Direction(StrEnum):
    """Whether the lowest or the highest value is the best."""

    MIN = "min"
    MAX = "max"

    def is_better(self, value: float, other: float) -> bool:
        return value < other if self is Direction.MIN else value > other


# Quantities for which lower, and for which higher is better.
_LOSSES = word_set("loss losses logloss mlogloss nll crossentropy xent ce bce")
_DOWN = _LOSSES | word_set(
    "error errors err merror perplexity ppl bpb bpc bpd mae mse rmse msle rmsle mape smape wape mase l1 l2 divergence "
    "lpips regret brier ece crps epe hd95 hausdorff chamfer ade fde cost"
)
_UP = word_set(
    "accuracy accuracies acc accs accu top precision prec recall sensitivity specificity f1 f2 fbeta fscore iou miou "
    "jaccard dice dsc auc auroc rocauc auprc aucpr prauc psnr ssim msssim snr sdr sisdr sisnr pesq stoi r2 pearson "
    "spearman plcc srcc mcc kappa qwk hit hits win wins success solved elo likelihood loglikelihood elbo em passrate"
)
_REWARDS = word_set("reward rewards rew return returns ret")
# Always computed over a whole validation set, whether the name says so or not.
_CORPUS_DOWN = word_set("wer cer ter der eer fid kid fvd")
_CORPUS_UP = word_set(
    "map ap bleu sacrebleu chrf rouge rougel rougelsum meteor cider spice bertscore ndcg mrr inception hota mota idf1"
)
_LOWER, _HIGHER = _DOWN | _CORPUS_DOWN, _UP | _REWARDS | _CORPUS_UP
_QUANTITIES = _LOWER | _HIGHER

_TEST = word_set("test testing")
VALIDATION_WORDS = _TEST | word_set("val valid validation validate eval evaluation dev development holdout cv")
TRAINING_WORDS = word_set("train training")
# Words that do not change what is measured.
_QUALIFIERS = (
    VALIDATION_WORDS
    | TRAINING_WORDS
    | word_set("mean avg average total overall running ema epoch step batch set s per binary multi categorical sparse")
)

# After a quantity these mean something else: the scale of a loss, the deviation of a reward, a threshold.
_NOT_SCORES = word_set(
    "scale scaler scaling weight weights lr wd norm time runtime coef coefficient count std stddev stdev var variance "
    "threshold num size len length code sec secs seconds ms ratio factor delta diff difference change drop gap "
    "improvement reduction speed throughput memory mem chosen rejected margin margins fraction grad gradient "
    "gradients entropy target goal limit id index"
)
_DEVIATIONS = word_set("std stddev stdev variance")  # anywhere in the name: `std_reward`, `reward_std`
# Figures about the process of training, never its result.
_BOOKKEEPING = _NOT_SCORES | word_set(
    "mfu fps dt flops tflops flos tok tokens samples it its epoch epochs step steps iter iters iteration iterations "
    "gpu cpu vram ram eta remaining elapsed momentum decay beta batch progress percent seed rank hp rate rates updates "
    "timesteps episodes episode data"
)
# Losses of adversaries or of a policy: a low value does not mean that the training is good.
_OPPOSED = word_set(
    "d g disc gen discriminator generator critic actor policy pi pg value v vf qf adv adversarial alpha"
)
# Pairs of words for one quantity.
_PAIRS = {
    ("log", "loss"): "logloss",
    ("cross", "entropy"): "crossentropy",
    ("log", "likelihood"): "loglikelihood",
    ("bits", "per"): "bpb",
    ("bits", "dim"): "bpd",
    ("nats", "per"): "nll",
    ("kl", "div"): "divergence",
    ("learning", "rate"): "lr",
    ("weight", "decay"): "wd",
    ("exact", "match"): "em",
    ("r", "squared"): "r2",
    ("held", "out"): "holdout",
    ("inception", "score"): "inception",
    ("pass", "rate"): "passrate",
}
_ENDINGS = ("loss", "accuracy", "acc", "error", "reward")  # also at the end of a compound word
_COMPLEMENT = r"\s*(?:1\s*)?-\s*[A-Za-z]"  # `1 - SSIM`, `-reward`
_CAMEL = r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])"


@lru_cache(maxsize=1024)  # a log repeats the same names on every line
def name_words(name: str) -> tuple[str, ...]:
    """The words of a name in lower case: `valLoss`, `val/loss` and `valloss` have the same."""
    words: list[str] = []
    for token in re.findall(r"[A-Za-z0-9]+", name):
        parts = [token] if _known(token.lower()) else re.sub(_CAMEL, " ", token).split()
        for part in parts:
            for word in _split(part.lower()):
                pair = _PAIRS.get((words[-1], word)) if words else None
                words[-1:] = [pair] if pair is not None else [*words[-1:], word]
    return tuple(words)


def _known(word: str) -> bool:
    stem = word.rstrip("0123456789")
    return any(known in _QUANTITIES or known in VALIDATION_WORDS or known in TRAINING_WORDS for known in (word, stem))


def _split(word: str) -> list[str]:
    """Separates a trailing number, and the parts of a compound word."""
    stem = word.rstrip("0123456789")
    if word in _QUANTITIES or not stem:
        return [word]
    if _known(stem):
        return [stem, word[len(stem) :]] if stem != word else [word]
    for prefix in (*VALIDATION_WORDS, *TRAINING_WORDS):
        if word.startswith(prefix) and word[len(prefix) :] in _QUANTITIES:
            return [prefix, word[len(prefix) :]]
    ending = next((ending for ending in _ENDINGS if word.endswith(ending)), "")
    return [word.removesuffix(ending), ending] if ending else [word]


@lru_cache(maxsize=1024)
def direction_of(name: str) -> Direction | None:
    """Which values of a metric are better; None if the name does not tell.

    The last known word names the quantity: `loss_accuracy` is an accuracy.
    """
    words = name_words(name)
    index = _quantity_index(words)
    if index is None or not _NOT_SCORES.isdisjoint(words[index + 1 :]) or not _DEVIATIONS.isdisjoint(words):
        return None
    word = words[index]
    if re.match(_COMPLEMENT, name):
        return None
    if word == "top" and not words[index + 1 : index + 2]:
        return None  # `top1` is an accuracy, `top` alone may be anything
    if word in ("l1", "l2") and not _QUALIFIERS.issuperset(
        part for part in words if part != word and not part.isdigit()
    ):
        return None  # LightGBM's name of an error; elsewhere a norm
    is_negated = words[0] == "neg" or ("negative" in words[:index] and word.endswith("likelihood"))
    return Direction.MIN if (word in _LOWER) is not is_negated else Direction.MAX


def _quantity_index(words: tuple[str, ...]) -> int | None:
    return next((index for index in reversed(range(len(words))) if words[index] in _QUANTITIES), None)


def _quantity(name: str) -> str | None:
    words = name_words(name)
    index = _quantity_index(words)
    return None if index is None else words[index]


@lru_cache(maxsize=1024)
def is_validation(name: str) -> bool:
    """Whether it was measured on validation or test data."""
    words = name_words(name)
    if not VALIDATION_WORDS.isdisjoint(words):
        return True
    return _quantity(name) in _CORPUS_DOWN | _CORPUS_UP and TRAINING_WORDS.isdisjoint(words)


@lru_cache(maxsize=1024)
def is_smoothed(name: str) -> bool:
    """Whether the values are of single minibatches: a training loss or error."""
    return direction_of(name) is Direction.MIN and _quantity(name) in _DOWN and not is_validation(name)


def is_reward(name: str) -> bool:
    return direction_of(name) is Direction.MAX and _quantity(name) in _REWARDS


def is_bookkeeping(name: str) -> bool:
    """Whether it is about the process (learning rate, time, gradients), or the best value so far."""
    words = name_words(name)
    if "best" in words or not any(letter.isalpha() for letter in name):
        return True
    return direction_of(name) is None and not _BOOKKEEPING.isdisjoint(words)


def is_opposed(name: str) -> bool:
    """Whether it is the loss of one part, such as a discriminator or a policy, and no measure of the training."""
    return _quantity(name) in _LOSSES and not _OPPOSED.isdisjoint(name_words(name))


def choice_rank(name: str) -> tuple[int, ...]:
    """A sort key among validation metrics, or among training metrics: the most telling one comes first.

    Rewards, then the whole loss, other quantities, and losses of a part of the model. Validation data come before test
    data, means before extremes, and of numbered data sets the last, which xgboost and LightGBM stop by.
    """
    words = name_words(name)
    rest = [word for word in words if word not in _QUALIFIERS and word not in _DOWN and not word.isdigit()]
    is_loss = _quantity(name) in _LOSSES
    kind = 0 if is_reward(name) else 1 if is_loss and not rest else 3 if is_loss else 2
    numbers = [int(after) for word, after in pairwise(words) if word in VALIDATION_WORDS and after.isdigit()]
    means, extremes = {"mean", "avg", "average"}, {"min", "max", "last"}
    return (
        not _TEST.isdisjoint(words),
        kind,
        means.isdisjoint(words) if kind == 0 else 0,
        kind == 0 and any(word not in _REWARDS for word in rest),  # `reward` before `rewards/format_reward`
        not extremes.isdisjoint(words) or not {"batch", "step"}.isdisjoint(words),  # Lightning: val_loss_epoch first
        -max(numbers, default=0),
    )


def main_loss(names: Iterable[str]) -> str | None:
    """Returns the loss to show if there is room for one, preferably the training loss; None if there is none."""
    name = min(names, key=_loss_rank, default=None)
    return None if name is None or _loss_rank(name) == _NO_LOSS else name


@lru_cache(maxsize=1024)  # every repaint asks for the same names
def _loss_rank(name: str) -> int:
    """The position of a metric among the losses to show, from 0."""
    if "loss" not in name.lower() or direction_of(name) is None:
        return _NO_LOSS
    plain = "_".join(name_words(name))
    if plain in _SHOWN_LOSSES:
        return _SHOWN_LOSSES.index(plain)
    return len(_SHOWN_LOSSES) + is_validation(name)


def validation_counterpart(name: str, names: Iterable[str]) -> str | None:
    """Returns the metric among `names` that measures the same as `name` on validation data; None if there is none."""
    quantity = [word for word in name_words(name) if word not in TRAINING_WORDS]
    matches = [
        other
        for other in names
        if is_validation(other) and [word for word in name_words(other) if word not in VALIDATION_WORDS] == quantity
    ]
    return min(matches, key=lambda other: "test" in name_words(other), default=None)
