"""For `transformers.Trainer`: reports metrics and checkpoints, and saves and stops when the run should end.

trainer = Trainer(..., callbacks=[BackpropCallback()])
trainer.train(resume_from_checkpoint=report.resume_from())
"""

from __future__ import annotations

import os
from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from backprop_tui import report
from backprop_tui.callbacks.agreement import Agreement, Answer

_NOT_METRICS = ("step", "epoch", "total_flos")


class BackpropCallback(TrainerCallback):
    """Use a new object for each training."""

    def __init__(self) -> None:
        self._agreement = Agreement()

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        self._agreement = Agreement(_broadcast_from_rank_0 if args.world_size > 1 else None)

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        if state.is_world_process_zero:
            metrics = {
                name: value
                for name, value in (logs or {}).items()
                if name not in _NOT_METRICS and isinstance(value, (int, float))
            }
            report.step(state.global_step, state.max_steps, epoch=state.epoch, **metrics)

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        if state.is_world_process_zero:
            folder = os.path.join(args.output_dir, f"checkpoint-{state.global_step}")
            report.checkpoint(folder, state.global_step)

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        if self._agreement.reached():
            control.should_save = True
            control.should_training_stop = True


def _broadcast_from_rank_0(answer: Answer) -> Answer:
    from torch import distributed

    if not (distributed.is_available() and distributed.is_initialized()):
        return answer
    answers = [answer]
    distributed.broadcast_object_list(answers, src=0)
    return answers[0]
