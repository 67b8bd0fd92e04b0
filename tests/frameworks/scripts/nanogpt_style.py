"""A training loop that prints and saves like nanoGPT; it does not use backprop-tui."""

from __future__ import annotations

import argparse
import time

import torch
from torch import nn

parser = argparse.ArgumentParser()
parser.add_argument("--init_from", default="scratch")
options = parser.parse_args()
torch.manual_seed(0)
inputs = torch.randn(512, 8)
targets = inputs.sin().sum(1, keepdim=True)
model = nn.Sequential(nn.Linear(8, 32), nn.Tanh(), nn.Linear(32, 1))
optimizer = torch.optim.Adam(model.parameters())
iter_num = 0
if options.init_from == "resume":
    checkpoint = torch.load("out/ckpt.pt")
    model.load_state_dict(checkpoint["model"])
    optimizer.load_state_dict(checkpoint["optimizer"])
    iter_num = checkpoint["iter_num"]
print(f"number of parameters: {sum(p.numel() for p in model.parameters()) / 1e6:.2f}M")
while iter_num <= 100_000:
    started = time.time()
    loss = nn.functional.mse_loss(model(inputs), targets)
    if iter_num % 100 == 0:
        print(f"step {iter_num}: train loss {loss:.4f}, val loss {loss:.4f}")
        if iter_num > 0:
            print("saving checkpoint to out")
            saved = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "iter_num": iter_num}
            torch.save(saved, "out/ckpt.pt")
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    time.sleep(0.02)
    if iter_num % 10 == 0:
        print(f"iter {iter_num}: loss {loss:.4f}, time {(time.time() - started) * 1000:.2f}ms, mfu {-100:.2f}%")
    iter_num += 1
