"""Stands for a training in a package."""

print("step 1 loss 0.5")
