"""Copies its input to its output, line by line."""

from __future__ import annotations

import sys

for line in sys.stdin:
    sys.stdout.write(f"| {line}")
    sys.stdout.flush()
