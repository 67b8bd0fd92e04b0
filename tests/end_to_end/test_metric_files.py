"""Metrics that a run writes to files beside its log reach its record."""

from __future__ import annotations

from backprop_tui.store.run_directory import read_lines
from tests.support.sandbox import Sandbox, python

WRITES = """
import os, time
os.makedirs("logs", exist_ok=True)
with open("logs/metrics.csv", "w") as table:
    table.write("epoch,step,train_loss,val_loss\\n")
    for step in range(1, 6):
        print(f"step {step}: train_loss=0.{step}", flush=True)
        table.write(f"0,{step},0.{step}12345,\\n")
        table.flush()
        time.sleep(0.1)
    table.write("0,5,,0.75\\n")
"""


def test_a_value_counts_once_whether_it_is_in_the_log_and_a_table_or_in_the_table_alone(sandbox: Sandbox) -> None:
    run = sandbox.submit(*python(WRITES))
    end = run.wait_for_end()
    assert (end.step, end.metrics) == (5, {"train_loss": 0.5, "val_loss": 0.75})
    lines = read_lines(run.directory.file("metrics.jsonl"))
    written = [(line["step"], name) for line in lines for name in line["metrics"]]
    assert sorted(written) == sorted([*((step, "train_loss") for step in range(1, 6)), (5, "val_loss")])
