"""`white_squares.py FOLDER` creates a data set for ultralytics: white squares on a dark background."""

from __future__ import annotations

import sys
from pathlib import Path

from PIL import Image, ImageDraw

folder = Path(sys.argv[1])
for part, count in (("train", 16), ("val", 8)):
    images, labels = folder / "images" / part, folder / "labels" / part
    images.mkdir(parents=True)
    labels.mkdir(parents=True)
    for number in range(count):
        image = Image.new("RGB", (64, 64), (40, 40, 40))
        ImageDraw.Draw(image).rectangle((number, number, number + 20, number + 20), fill="white")
        image.save(images / f"{number}.png")
        middle, size = (number + 10) / 64, 20 / 64
        (labels / f"{number}.txt").write_text(f"0 {middle} {middle} {size} {size}\n")
description = folder / "squares.yaml"
description.write_text(f"path: {folder}\ntrain: images/train\nval: images/val\nnames:\n  0: square\n")
sys.stdout.write(f"{description}\n")
