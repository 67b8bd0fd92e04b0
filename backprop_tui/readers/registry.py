"""The list of supported log formats.

To add a format, write a class with `marks` and `read` and list it in READERS. Each line is passed to the readers in
this order until one of them returns events. `joining` merges the events that several formats report for one training.
"""

from __future__ import annotations

from collections.abc import Callable

from backprop_tui.readers.checkpoint_messages import CheckpointMessages
from backprop_tui.readers.fairseq import Fairseq
from backprop_tui.readers.json_lines import JsonLines
from backprop_tui.readers.keras import Keras
from backprop_tui.readers.lightning import Lightning
from backprop_tui.readers.megatron import Megatron
from backprop_tui.readers.nanogpt import NanoGpt
from backprop_tui.readers.pairs import Pairs
from backprop_tui.readers.progress_bars import ProgressBars
from backprop_tui.readers.python_dicts import PythonDicts
from backprop_tui.readers.pytorch_examples import PytorchExamples
from backprop_tui.readers.reader import Reader
from backprop_tui.readers.timm import Timm
from backprop_tui.readers.ultralytics import Ultralytics

# Specific formats come before general ones.
READERS: tuple[Callable[[], Reader], ...] = (
    JsonLines,
    PythonDicts,
    Ultralytics,
    Lightning,
    ProgressBars,
    Keras,
    PytorchExamples,
    Timm,
    Megatron,
    Fairseq,
    NanoGpt,
    CheckpointMessages,
    Pairs,
)
