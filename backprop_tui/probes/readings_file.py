"""stub"""
from __future__ import annotations
from backprop_tui.domain.telemetry import HostReading, Readings
def read_readings(path: str) -> Readings | None:
    return Readings(time=0.0, host=HostReading())
