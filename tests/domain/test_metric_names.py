"""The direction of a metric, and the kind of data it is of, by its name."""

from __future__ import annotations

import pytest

from backprop_tui.domain.metric_names import (
    Direction,
    direction_of,
    is_bookkeeping,
    is_smoothed,
    is_validation,
)

LOWER = """
loss; val_loss; train/loss; Loss/val; eval.perplexity; valid ppl; Validation bpb; bits per byte; bits/dim; bpc; nll;
negative_log_likelihood; log_loss; mlogloss; valid_1's binary_logloss; validation_0-logloss; test-rmse; val_mse; MAE;
mape; error_rate; accuracy_error; top-1 err; Word error rate; WER; cer; EER; FID; fid_score; lpips; regret;
KLDivergence; kl_div; reward_loss; value_loss; ssim_loss; f1_loss; train_loss_step; train_loss_epoch; valLoss; testloss;
Cross Entropy; valid_0's l2; brier_score; valid_1's l1; val_mean_absolute_error; Avg loss; loss_cls
"""
HIGHER = """
acc; val_acc; top5_accuracy; top1; Acc@1; loss_accuracy; mAP50; metrics/mAP50-95(B); bbox_mAP_50; AP; mIoU; val/IoU;
Mean Dice; ROC-AUC; auroc; validation_0-aucpr; BLEU; bleu4; rougeL; rouge1; METEOR; CIDEr; PSNR; ssim; reward;
rollout/ep_rew_mean; Average reward; episode return; AverageEpRet; eval/mean_reward; episode_reward_mean; success rate;
win_rate; elo; r2; MCC; Cohen kappa; ndcg@10; hit@10; Hit rate; recall@5; precision_macro; dev F1; f1_score;
neg_mean_squared_error; log_likelihood; rewards/accuracies; BinaryAccuracy; exact_match; testacc; pass rate
"""
UNKNOWN = """
score; lr; learning_rate; grad_norm; loss_scale; loss_weight; policy_entropy; time; throughput; mfu; epoch; reward_std;
std_reward; test-rmse-std; StdEpRet; return_code; ep_len_mean; eval_samples_per_second; rewards/rejected;
rewards/margins; top; weight_l2; explained_variance; clip_fraction; kl; approx_kl; map_size; accuracy_threshold;
accuracy_gap; 1 - SSIM; -reward; temperature; hp_metric; total_flos; energy; val_score
"""


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(";")]


@pytest.mark.parametrize("name", _names(LOWER))
def test_lower_is_better(name: str) -> None:
    assert direction_of(name) is Direction.MIN


@pytest.mark.parametrize("name", _names(HIGHER))
def test_higher_is_better(name: str) -> None:
    assert direction_of(name) is Direction.MAX


@pytest.mark.parametrize("name", _names(UNKNOWN))
def test_other_names_have_no_direction(name: str) -> None:
    assert direction_of(name) is None


def test_at_least_eighty_names_are_tried() -> None:
    assert len(_names(LOWER) + _names(HIGHER) + _names(UNKNOWN)) >= 80


@pytest.mark.parametrize(
    "name",
    _names(
        "val_loss; eval/loss; Loss/validation; validation_0-logloss; valid_1's binary_logloss; test-rmse; dev F1; "
        "Validation bpb; valLoss; testacc; Test Accuracy; cv_error; mAP50; BLEU; WER; held-out loss; val2/acc"
    ),
)
def test_validation_metrics_in_any_spelling(name: str) -> None:
    assert is_validation(name)
    assert not is_smoothed(name)


@pytest.mark.parametrize("name", _names("loss; train/loss; training acc; value_loss; ep_rew_mean; valence; train_mAP"))
def test_other_metrics_are_of_the_training(name: str) -> None:
    assert not is_validation(name)


def test_only_losses_and_errors_of_the_training_are_smoothed() -> None:
    assert all(map(is_smoothed, ("loss", "train_ppl", "Loss_D", "mse")))
    assert not any(map(is_smoothed, ("val_loss", "acc", "ep_rew_mean", "psnr", "fid", "lr")))


@pytest.mark.parametrize(
    "name",
    _names(
        "lr; grad_norm; time; throughput; mfu; epoch; step; tokens_per_sec; it/s; eval_runtime; total_flos; "
        "loss_scale; best val_loss; best_acc; Best mIoU; reward_std; ep_len_mean; gpu_mem; hp_metric; batch_size"
    ),
)
def test_bookkeeping_metrics_are_recognised(name: str) -> None:
    assert is_bookkeeping(name)


def test_names_without_letters_are_harmless() -> None:
    for name in ("", "  ", "/", "123"):
        assert direction_of(name) is None
        assert is_bookkeeping(name)
    assert not is_bookkeeping("\N{GREEK SMALL LETTER BETA}")
