"""A Trainer as in its documentation, without backprop-tui."""

from __future__ import annotations

import sys
import time

import torch
from torch.utils.data import Dataset
from transformers import HfArgumentParser, LlamaConfig, LlamaForCausalLM, Trainer, TrainingArguments


class Counting(Dataset[dict[str, torch.Tensor]]):
    """Sequences that count upwards, each by its own increment."""

    def __len__(self) -> int:
        return 256

    def __getitem__(self, index: int) -> dict[str, torch.Tensor]:
        time.sleep(0.01)
        tokens = torch.arange(16) * (index % 7 + 1) % 64
        return {"input_ids": tokens, "labels": tokens}


(settings,) = HfArgumentParser(TrainingArguments).parse_args_into_dataclasses(sys.argv[1:])
shape = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
torch.manual_seed(0)
model = LlamaForCausalLM(LlamaConfig(vocab_size=64, **shape))
trainer = Trainer(model=model, args=settings, train_dataset=Counting())
trainer.train(resume_from_checkpoint=settings.resume_from_checkpoint)
