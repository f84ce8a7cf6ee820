"""Labels for boards: the text of each as a QR code, in the terminal, as PNG, or many on a sheet to be printed."""

from __future__ import annotations

import io
import os
from html import escape
from typing import TYPE_CHECKING

import segno

from host_tools.boards.board import BoardError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

# What a phone's or a scanner's camera still reads from a small label.
MOST_VERSION = 10
# White around a QR code (ISO/IEC 18004, 6.3.8), in modules.
_QUIET = 4
_PAGE = """<!DOCTYPE html>
<html lang="en">
<meta charset="utf-8">
<title>{title}</title>
<style>
@page {{ size: A4; margin: 10mm }}
body {{ margin: 0; font: 9pt sans-serif }}
main {{ display: grid; grid-template-columns: repeat(4, 1fr); gap: 4mm }}
figure {{ margin: 0; padding: 2mm; border: 0.2mm dashed #999; text-align: center; break-inside: avoid }}
svg {{ width: 100%; height: auto }}
figcaption {{ overflow-wrap: anywhere }}
small {{ color: #555 }}
</style>
<main>
{labels}
</main>
</html>
"""
_LABEL = "<figure>{code}<figcaption><b>{name}</b><br><small>{about}</small></figcaption></figure>"


def code(text: str) -> segno.QRCode:
    """A QR code of version 10 or smaller, with as much error correction as there is room for.

    Raises:
        BoardError: the text is too long for that.
    """
    for level in ("m", "l"):
        made = segno.make_qr(text, error=level)
        if int(made.version) <= MOST_VERSION:
            return made
    raise BoardError(
        f"a text of {len(text)} characters does not fit into a QR code of version {MOST_VERSION}"
    )


def for_terminal(text: str) -> str:
    """A QR code as characters, two modules high each, for a terminal of 65 columns or more."""
    out = io.StringIO()
    code(text).terminal(out, border=_QUIET, compact=True)
    return out.getvalue()


def png(text: str) -> bytes:
    """A QR code as PNG, 8 pixels to a module."""
    out = io.BytesIO()
    code(text).save(out, kind="png", scale=8, border=_QUIET)
    return out.getvalue()


def sheet(title: str, labels: Iterable[tuple[str, str, str]]) -> bytes:
    """A page to be printed, in HTML with nothing from elsewhere: four labels to a row.

    Args:
        title: of the page.
        labels: name, what else is said below it, and text of each.
    """
    made = [
        _LABEL.format(
            code=code(text).svg_inline(border=_QUIET, omitsize=True), name=escape(name), about=escape(about)
        )
        for name, about, text in labels
    ]
    return _PAGE.format(title=escape(title), labels="\n".join(made)).encode()


def save(path: Path, octets: bytes, *, replace: bool = False) -> None:
    """Write what has keys in it, readable by its owner only.

    Raises:
        BoardError: there is such a file already, or it can't be written.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
    new = path.with_name(path.name + ".new") if replace else path
    try:
        if replace:
            new.unlink(missing_ok=True)
        descriptor = os.open(new, flags, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(octets)
            file.flush()
            os.fsync(descriptor)
        if replace:
            new.replace(path)
    except FileExistsError as error:
        raise BoardError(f"{path} is there already: name another file, or say --replace") from error
    except OSError as error:
        raise BoardError(f"{path}: {error.strerror}") from error
