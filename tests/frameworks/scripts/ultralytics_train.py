"""A YOLO model without pretrained weights; the script does not use backprop-tui."""

from __future__ import annotations

import sys

from ultralytics import YOLO

data, *resumed = sys.argv[1:]
if resumed:
    YOLO(resumed[0]).train(resume=True)
else:
    YOLO("yolo11n.yaml").train(
        data=data,
        epochs=1000,
        imgsz=64,
        batch=8,
        device="cpu",
        workers=0,
        plots=False,
        pretrained=False,
        amp=False,
        project="runs",
        name="train",
    )
