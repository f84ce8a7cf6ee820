"""The browser that the tests of the operator's page use: `python3 -m host_tools.setup.browser`.

A Chromium of the system is taken if there is one, else Debian's headless one is unpacked into `build/browser`. The
tests are skipped, and say so, where there is none.
"""

import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

from host_tools.setup import debian

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "build" / "browser"
PACKAGES = "chromium-headless-shell fontconfig-config fonts-dejavu-core"
PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "chromium-headless-shell")
# Tests show it nothing but the project's own pages, and a container has no sandbox to give.
ARGUMENTS = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage")
# The machine's own: its loader is used, which takes no other C library than the one it belongs to.
_C_LIBRARY = (
    "ld-linux*",
    "libc.so*",
    "libm.so*",
    "libmvec*",
    "libdl.so*",
    "libpthread*",
    "librt.so*",
    "libresolv*",
)
_C_LIBRARY_PARTS = ("libnss_*", "libnsl*", "libutil*", "libanl*", "libBrokenLocale*", "libthread_db*")
# Large, and of no use here: what draws with the help of a graphics card, and documentation.
_NOT_NEEDED = (
    "usr/lib/*/dri",
    "usr/lib/*/libLLVM*",
    "usr/lib/*/libz3*",
    "usr/lib/*/perl*",
    "usr/lib/chromium/libVkLayer*",
    "usr/share/doc",
    "usr/share/icons",
    "usr/share/locale",
    "usr/share/man",
)
_TIMEOUT_S = 60


def find() -> Path | None:
    """A browser that runs here, None when there is none."""
    path = os.pathsep.join([os.environ.get("PATH", ""), str(FOLDER / "bin")])
    for program in PROGRAMS:
        found = shutil.which(program, path=path)
        if found:
            return Path(found)
    return None


def main() -> int:
    """Get one if there is none; never fail when it can't be had."""
    browser = find()
    if not browser:
        try:
            browser = _unpack()
        except (debian.Unavailable, OSError) as error:
            print(f"  Chromium: not available ({error}); the tests in a browser will be skipped")
    print("browser:", browser or "none")
    return 0


def _unpack() -> Path:
    tree = FOLDER / "tree"
    debian.unpack(PACKAGES, debian.own_archives(), debian.native_architecture(), tree)
    for pattern in _NOT_NEEDED:
        for path in tree.glob(pattern):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()
    for pattern in _C_LIBRARY + _C_LIBRARY_PARTS:
        for path in (*tree.glob(f"lib/*/{pattern}"), *tree.glob(f"usr/lib/*/{pattern}")):
            path.unlink()
    launcher = FOLDER / "bin" / "chromium"
    _write_launcher(tree, launcher)
    try:
        _check(launcher)
    except debian.Unavailable:
        launcher.unlink()
        raise
    return launcher


def _write_launcher(tree: Path, launcher: Path) -> None:
    # A browser finds its other files beside its own program, so it can't be started by another loader.
    libraries = sorted({path.parent for path in tree.glob("**/lib*.so*") if "share" not in path.parts})
    launcher.parent.mkdir(parents=True, exist_ok=True)
    to = os.path.relpath(tree, launcher.parent)
    folders = ":".join(f"$tree/{folder.relative_to(tree)}" for folder in libraries)
    launcher.write_text(
        "#!/bin/sh\n"
        f'tree="$(cd "${{0%/*}}/{to}" && pwd)"\n'
        f'export LD_LIBRARY_PATH="{folders}"\n'
        'export FONTCONFIG_SYSROOT="$tree"\n'
        'exec "$tree/usr/lib/chromium/chromium-headless-shell" "$@"\n'
    )
    launcher.chmod(launcher.stat().st_mode | stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH)


def _check(browser: Path) -> None:
    # Does it show a page?
    command = [str(browser), *ARGUMENTS, "--dump-dom", "data:text/html,<p>shown</p>"]
    try:
        done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=_TIMEOUT_S)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise debian.Unavailable(f"it does not run: {error}") from error
    if "<p>shown</p>" not in done.stdout:
        lines = done.stderr.splitlines() or [f"exit {done.returncode}"]
        raise debian.Unavailable(f"it does not run: {lines[-1]}")


if __name__ == "__main__":
    sys.exit(main())
