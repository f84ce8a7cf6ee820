"""A device's key on a host: its ``device.json``, and the sequence number beside it."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

from msgin5g import provisioning
from msgin5g.provisioning import DeviceSecurity, NotProvisioned
from msgin5g.store import numbers
from msgin5g.store.counter import Counter

from host_tools.settings import SettingsError

if TYPE_CHECKING:
    from pathlib import Path


def write(path: Path, device: dict) -> None:
    """Write what a device is given, readable by its owner only.

    Raises:
        OSError: the file is there already, or can't be written.
    """
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        json.dump(device, file, indent=2)
        file.write("\n")
        file.flush()
        os.fsync(descriptor)


def read(path: Path, key: str = "device") -> dict:
    """What a device was given.

    Raises:
        SettingsError: there is no such file, or it is not complete.
    """
    try:
        device = provisioning.read(str(path))
    except NotProvisioned as error:
        raise SettingsError(f"{key}: {error}; `msgin5g enrol` makes one") from error
    if "gateway_ue_service_id" not in device:
        raise SettingsError(f"{key}: gateway_ue_service_id is missing in {path}")
    return device


def security(path: Path, device: dict, ahead: int = 0, key: str = "device") -> DeviceSecurity:
    """What a device's endpoint is secured by.

    Args:
        path: its file, beside which the sequence number is kept.
        device: what is in it.
        ahead: how many numbers more than asked for are reserved at a time.
        key: what the file is called where it is named.

    Raises:
        SettingsError: the keys can't be used.
    """
    try:
        made = DeviceSecurity(device["oscore"], Numbers(path.with_name(path.name + ".sequence"), ahead))
        made.use(device["gateway_ue_service_id"])
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        raise SettingsError(f"{key}: {path}: {error}") from error
    return made


class Numbers(numbers.Numbers):
    """The storage of a context (msgin5g.oscore.context), in two files beside a key.

    Args:
        path: of the files, without what tells them apart.
        ahead: so many more than asked for are reserved: the files are written that more rarely.
    """

    def __init__(self, path: Path, ahead: int = 0) -> None:
        super().__init__(Counter(str(path)), ahead)
