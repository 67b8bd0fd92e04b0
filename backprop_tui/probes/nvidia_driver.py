"""Messages about problems with the NVIDIA driver: the problem, a colon, and how to fix it."""

from __future__ import annotations

import os

NVIDIA_VENDOR = "0x10de"

NOT_LOADED = (
    "NVIDIA driver not loaded: try `sudo modprobe nvidia`; after a kernel update install the driver for this kernel, "
    "and see `dmesg | grep -i nvidia`"
)
NO_CARD = "no NVIDIA driver loaded and no NVIDIA card on the PCI bus: if there is a card, see `lspci` and `dmesg`"
NO_GPU = "the NVIDIA driver is loaded but has no GPU: `lspci | grep -i nvidia` shows whether there is one"
MISMATCH = (
    "NVIDIA driver and library differ in version: the driver was updated while the old one is loaded; reboot, or stop "
    "everything that uses the GPUs and run "
    "`sudo rmmod nvidia_uvm nvidia_drm nvidia_modeset nvidia && sudo modprobe nvidia`"
)
NO_PERMISSION = "no permission to use the NVIDIA driver: check the group of /dev/nvidia*, often video or render"
BLOCKED = "the operating system blocks access to the GPUs: start the container with --gpus all"
SEE_KERNEL_LOG = "see `dmesg | grep -i -e xid -e nvrm`; often only a reboot helps"
LIBRARY_MISSING = (
    "no libnvidia-ml.so.1: no NVIDIA driver is installed here; in a container, start it with --gpus all (NVIDIA "
    "container toolkit)"
)


def nvidia_card_present(sys_root: str = "/sys") -> bool | None:
    """Whether there is an NVIDIA device on the PCI bus; None if there is no PCI bus (some virtual machines, WSL)."""
    devices = os.path.join(sys_root, "bus/pci/devices")
    try:
        addresses = os.listdir(devices)
    except OSError:
        return None
    return any(_vendor(os.path.join(devices, address)) == NVIDIA_VENDOR for address in addresses) if addresses else None


def _vendor(device: str) -> str | None:
    """Returns the PCI vendor id; None if it cannot be read, for example because the device was just removed."""
    try:
        with open(os.path.join(device, "vendor"), encoding="ascii") as file:
            return file.read().strip()
    except OSError:
        return None
