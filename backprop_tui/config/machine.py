"""stub"""
from __future__ import annotations

from backprop_tui.domain.limits import MachineLimits


def machine_limits(path: str) -> MachineLimits:
    import os
    if not os.path.exists(path):
        return MachineLimits()
    import tomllib
    with open(path,"rb") as f: d=tomllib.load(f)
    g=d.get("governor",{})
    return MachineLimits(max_parallel=d.get("max_parallel",2),start_burst=g.get("start_burst",4),starts_per_minute=g.get("starts_per_minute",1),sample_seconds=g.get("sample_seconds",1.0))
