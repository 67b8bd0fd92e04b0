"""What can be wrong with the NVIDIA driver, in words that say how to mend it."""

from __future__ import annotations

import os

NVIDIA_VENDOR = "0x10de"

NOT_LOADED = (
    "the NVIDIA driver is not loaded: try `sudo modprobe nvidia`; after a kernel update install the driver for this "
    "kernel, and look at `dmesg | grep -i nvidia`"
)
MISMATCH = (
    "the loaded NVIDIA driver and its library differ in version: the driver was updated and the old one still runs; "
    "reboot, or end everything that uses the GPUs and reload the module (`sudo rmmod nvidia_uvm nvidia_drm "
    "nvidia_modeset nvidia && sudo modprobe nvidia`)"
)
NO_PERMISSION = (
    "no permission to use the NVIDIA driver: see the owner of /dev/nvidia* (often group `video` or `render`)"
)
BLOCKED = "the operating system or container keeps the GPUs away: start the container with --gpus all"
HANGS = "the NVIDIA driver does not answer: look at `dmesg | grep -i xid`; often only a reboot helps"
LIBRARY_MISSING = (
    "no libnvidia-ml.so.1: no NVIDIA driver installed here; in a container, start it with --gpus all (NVIDIA container "
    "toolkit)"
)


def nvidia_card_present(sys_root: str = "/sys") -> bool | None:
    """Whether the PCI bus has an NVIDIA device; None where there is no bus to look at (some virtual machines, WSL)."""
    devices = os.path.join(sys_root, "bus/pci/devices")
    try:
        addresses = os.listdir(devices)
    except OSError:
        return None
    return any(_vendor(os.path.join(devices, address)) == NVIDIA_VENDOR for address in addresses) if addresses else None


def _vendor(device: str) -> str | None:
    """None where it cannot be read: the device may vanish as we look."""
    try:
        with open(os.path.join(device, "vendor"), encoding="ascii") as file:
            return file.read().strip()
    except OSError:
        return None
