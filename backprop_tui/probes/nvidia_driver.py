"""What can be wrong with the NVIDIA driver: what it is in a few words, a colon, and how to mend it."""

from __future__ import annotations

import os

NVIDIA_VENDOR = "0x10de"

NOT_LOADED = (
    "NVIDIA driver not loaded: try `sudo modprobe nvidia`; after a kernel update install the driver for this kernel, "
    "and look at `dmesg | grep -i nvidia`"
)
NO_CARD = "no NVIDIA driver loaded and no NVIDIA card on the PCI bus: if there is one, look at `lspci` and `dmesg`"
NO_GPU = "the NVIDIA driver is loaded and has no GPU: `lspci | grep -i nvidia` shows whether there is one"
MISMATCH = (
    "NVIDIA driver and library differ in version: the driver was updated and the old one still runs; reboot, or end "
    "all that uses the GPUs and `sudo rmmod nvidia_uvm nvidia_drm nvidia_modeset nvidia && sudo modprobe nvidia`"
)
NO_PERMISSION = "no permission for the NVIDIA driver: see who owns /dev/nvidia*, often the group video or render"
BLOCKED = "GPUs kept away by the operating system: start the container with --gpus all"
SEE_KERNEL_LOG = "look at `dmesg | grep -i -e xid -e nvrm`; often only a reboot helps"
LIBRARY_MISSING = (
    "no libnvidia-ml.so.1: no NVIDIA driver is installed here; in a container, start it with --gpus all (NVIDIA "
    "container toolkit)"
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
