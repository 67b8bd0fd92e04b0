"""A Hugging Face Trainer that can be stopped at any step, saves, and resumes: a callback and one argument.

backprop-tui run -m 1 --total-minutes 3 examples/huggingface_trainer.py
"""

from __future__ import annotations

import argparse
import time

import torch
from torch.utils.data import Dataset
from transformers import LlamaConfig, LlamaForCausalLM, Trainer, TrainingArguments

from backprop_tui import report
from backprop_tui.callbacks.huggingface import BackpropCallback


class Counting(Dataset[dict[str, torch.Tensor]]):
    """Sequences that count upwards, each by its own increment: a small language, learned in seconds."""

    def __init__(self, pace: float) -> None:
        self._pace = pace

    def __len__(self) -> int:
        return 256

    def __getitem__(self, index: int) -> dict[str, torch.Tensor]:
        time.sleep(self._pace)
        tokens = torch.arange(16) * (index % 7 + 1) % 64
        return {"input_ids": tokens, "labels": tokens}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=3000)
    parser.add_argument("--pace", type=float, default=0.01, help="seconds to sleep for each sample")
    options = parser.parse_args()

    shape = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
    model = LlamaForCausalLM(LlamaConfig(vocab_size=64, **shape))
    settings = TrainingArguments(
        output_dir="huggingface_trainer", max_steps=options.steps, logging_steps=5, save_steps=50, report_to="none"
    )
    trainer = Trainer(model=model, args=settings, train_dataset=Counting(options.pace), callbacks=[BackpropCallback()])
    trainer.train(resume_from_checkpoint=report.resume_from())
    if report.should_stop():
        return  # anything that follows the training, such as a final evaluation, waits until it is complete


if __name__ == "__main__":
    main()
