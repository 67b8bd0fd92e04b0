"""Runs nvidia-smi, within a time limit."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass

from backprop_tui.probes.gpu_probe import ProbeUnavailable
from backprop_tui.probes.smi_table import GPU_FIELDS, PROCESS_FIELDS
