"""Passwords of Wi-Fi networks: from a file, the environment or a prompt, and never from a command line."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from host_tools.boards.board import BoardError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

# Other processes of the same user can read it, but not those of others.
VARIABLE = "MSGIN5G_WIFI_PASSWORD"


def passwords(
    names: Iterable[str], file: Path | None, environment: str | None, prompt: Callable[[str], str] | None
) -> dict[str, str]:
    """Find the passwords of networks, each once.

    Args:
        names: of the networks.
        file: has the password; or, for several networks, JSON: ``{"a name": "its password"}``.
        environment: the same, when there is no file.
        prompt: asks for that of one network when there is neither; None: nobody is there to be asked.

    Raises:
        BoardError: there is none for one of them.
    """
    wanted = list(dict.fromkeys(names))
    if not wanted:
        return {}
    if file:
        try:
            return _told(wanted, file.read_text(encoding="utf-8"), f"--wifi-password-file {file}")
        except (OSError, UnicodeDecodeError) as error:
            raise BoardError(f"--wifi-password-file {file}: {error}") from error
    if environment is not None:
        return _told(wanted, environment, VARIABLE)
    if prompt is None:
        raise BoardError(
            f"the password of {wanted[0]!r} is missing: --wifi-password-file, or {VARIABLE} in the environment"
        )
    return {name: prompt(name) for name in wanted}


def _told(wanted: list[str], text: str, where: str) -> dict[str, str]:
    text = text.removesuffix("\n").removesuffix("\r")
    try:
        table = json.loads(text)
    except ValueError:
        table = None
    if not isinstance(table, dict):
        if len(wanted) > 1 or "\n" in text:
            raise BoardError(
                f'{where}: for several networks expected JSON, {{"{wanted[0]}": "its password", ...}}; for one, its'
                " password alone"
            )
        return {wanted[0]: text}
    for name in wanted:
        if not isinstance(table.get(name), str):
            raise BoardError(f'{where}: no password for {name!r}; "" is that of an open network')
    return {name: table[name] for name in wanted}
