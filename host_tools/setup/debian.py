"""Programs of Debian packages in a folder of their own: no root, no change to the system.

apt runs with a private state folder, which has an empty package database, so that it fetches a package with
everything the package needs, down to the C library. The programs then start through that library's loader,
and so run on a machine with older or newer libraries, or of another architecture that its kernel can run.
"""

import os
import re
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

APT_SOURCES = Path("/etc/apt")
KEYRINGS = (
    Path("/usr/share/keyrings/debian-archive-keyring.pgp"),
    Path("/usr/share/keyrings/debian-archive-keyring.gpg"),
)
DEBIAN_SUITES = {
    "bullseye",
    "bookworm",
    "trixie",
    "forky",
    "oldstable",
    "stable",
    "testing",
    "unstable",
    "sid",
}
APT_TIMEOUT_S = 180


class Unavailable(Exception):
    """This machine can't provide a package; the text says why."""


@dataclass(frozen=True)
class Source:
    """One package archive out of the machine's apt configuration."""

    uri: str
    suites: tuple[str, ...]
    components: tuple[str, ...]
    signed_by: str | None = None


def configured_sources(folder: Path | None = None) -> list[Source]:
    """The archives that the machine's own apt uses, in either of apt's two file formats."""
    folder = folder or APT_SOURCES
    sources: list[Source] = []
    for path in [folder / "sources.list", *sorted(folder.glob("sources.list.d/*"))]:
        if path.is_file() and path.suffix in (".list", ".sources"):
            read = _one_line if path.suffix == ".list" else _deb822
            sources += read(path.read_text(errors="replace"))
    return sources


def _one_line(text: str) -> Iterator[Source]:
    for line in text.splitlines():
        match = re.match(r"\s*deb\s+(?:\[(.*?)\]\s+)?(\S+)\s+(\S+)([^#]*)", line)
        if match:
            options, uri, suite, components = match.groups()
            key = re.search(r"signed-by=(\S+)", options or "", re.IGNORECASE)
            yield Source(uri, (suite,), tuple(components.split()), key[1] if key else None)


def _deb822(text: str) -> Iterator[Source]:
    text = re.sub(r"^#.*\n?", "", text, flags=re.MULTILINE)
    for stanza in re.split(r"\n\s*\n", text):
        # A line that starts with a blank continues the field above it.
        fields = {
            key.lower(): value
            for key, _, value in (
                line.partition(":") for line in re.sub(r"\n[ \t]+", " ", stanza).splitlines()
            )
        }
        if "deb" not in fields.get("types", "").split() or fields.get("enabled", "").strip() == "no":
            continue
        signed_by = fields.get("signed-by", "").strip()
        for uri in fields.get("uris", "").split():
            yield Source(
                uri,
                tuple(fields.get("suites", "").split()),
                tuple(fields.get("components", "").split()),
                # An inlined key can't be handed on in one line; apt's own keyrings serve then.
                signed_by if signed_by.startswith("/") else None,
            )


def debian_archive(suite: str) -> str:
    """The apt source line for a Debian suite, on the mirror that this machine already uses."""
    keyring = next((path for path in KEYRINGS if path.is_file()), None)
    mirrors = [
        s.uri for s in configured_sources() if DEBIAN_SUITES & set(s.suites) and "main" in s.components
    ]
    if not mirrors or keyring is None:
        raise Unavailable(f"Debian {suite} is not to be had: apt on this machine knows no Debian mirror")
    return f"deb [signed-by={keyring}] {mirrors[0]} {suite} main"


def own_archives() -> list[str]:
    """The apt source lines of the machine's own distribution (Debian, Ubuntu or a relative)."""
    release = Path("/etc/os-release").read_text() if Path("/etc/os-release").is_file() else ""
    match = re.search(r"^(?:VERSION|UBUNTU)_CODENAME=(\w+)", release, re.MULTILINE)
    codename = match[1] if match else "?"
    lines = [
        f"deb {f'[signed-by={s.signed_by}] ' if s.signed_by else ''}{s.uri} {suite} {' '.join(s.components)}"
        for s in configured_sources()
        for suite in s.suites
        if suite.startswith(codename)
    ]
    if not lines:
        raise Unavailable("apt on this machine names no archive of its own distribution")
    return lines


def native_architecture() -> str:
    """The machine's architecture, as Debian names it."""
    if not shutil.which("dpkg") or not shutil.which("apt-get"):
        raise Unavailable("this machine has no apt")
    return _run(["dpkg", "--print-architecture"], "dpkg").strip()


def unpack(packages: str, archives: list[str], architecture: str, target: Path) -> None:
    """Unpack packages with all they depend on into the folder `target`, which appears whole or not at all."""
    native_architecture()
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".fetch-") as work:
        apt = _apt(archives, architecture, Path(work))
        install = ["install", "--yes", "--download-only", *packages.split()]
        _run([*apt, *install], f"apt-get for {packages}:{architecture}")
        tree = Path(work, "tree")
        for deb in sorted(Path(work, "cache/archives").glob("*.deb")):
            _run(["dpkg-deb", "-x", str(deb), str(tree)], f"unpacking {deb.name}")
        shutil.rmtree(target, ignore_errors=True)
        tree.replace(target)


def unpack_source(package: str, archives: list[str], target: Path) -> None:
    """Unpack the source of a package with Debian's patches into the folder `target`, whole or not at all."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".fetch-") as work:
        sources = [re.sub("^deb ", "deb-src ", archive) for archive in archives]
        apt = _apt(sources, native_architecture(), Path(work))
        _run([*apt, "source", "--download-only", package], f"apt-get source {package}", work)
        tree = Path(work, "tree")
        tree.mkdir()
        for pattern, options in (("*.orig.tar.*", ["--strip-components=1"]), ("*.debian.tar.*", [])):
            for archive in Path(work).glob(pattern):
                _run(["tar", "-xf", str(archive), "-C", str(tree), *options], f"unpacking {archive.name}")
        for patch in (tree / "debian/patches/series").read_text().split():
            file = tree / "debian/patches" / patch
            _run(["patch", "-p1", "--silent", "--input", str(file)], f"applying {patch}", str(tree))
        shutil.rmtree(target, ignore_errors=True)
        tree.replace(target)


def _apt(archives: list[str], architecture: str, work: Path) -> list[str]:
    """An apt-get of its own in a folder, which has read the archives' lists."""
    for folder in ("lists/partial", "cache/archives/partial"):
        (work / folder).mkdir(parents=True)
    (work / "sources.list").write_text("\n".join(archives) + "\n")
    options = {
        "Dir::Etc::sourcelist": work / "sources.list",
        "Dir::Etc::sourceparts": "/dev/null",
        "Dir::State": work,
        "Dir::State::lists": work / "lists",
        "Dir::State::status": "/dev/null",
        "Dir::Cache": work / "cache",
        "APT::Architecture": architecture,
        "APT::Architectures::": architecture,
        "APT::Install-Recommends": "false",
        # As root, apt would hand the download to a user who can't write here.
        "APT::Sandbox::User": "root",
        "Debug::NoLocking": "true",
        "Acquire::Languages": "none",
        "Acquire::Retries": "1",
        "Acquire::http::Timeout": "20",
    }
    apt = ["apt-get", "-qq", *(f"-o{key}={value}" for key, value in options.items())]
    _run([*apt, "update"], "apt-get update")
    return apt


def _run(command: list[str], what: str, cwd: str | None = None) -> str:
    try:
        done = subprocess.run(
            command, check=False, capture_output=True, text=True, timeout=APT_TIMEOUT_S, cwd=cwd
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Unavailable(f"{what}: {error}") from error
    if done.returncode:
        lines = [
            line for line in done.stderr.splitlines() if line.startswith("E:")
        ] or done.stderr.splitlines()
        raise Unavailable(f"{what}: {lines[0] if lines else f'exit {done.returncode}'}")
    return done.stdout


def write_launcher(tree: Path, program: str, launcher: Path) -> None:
    """Write a script that starts a program of an unpacked tree with the tree's own loader and libraries."""
    # A loader is found under several names, each by way of absolute links that point out of the tree.
    loaders = [
        p for p in sorted(tree.glob("**/ld-linux*.so.*")) if p.is_file() and p.resolve().is_relative_to(tree)
    ]
    if not loaders:
        raise Unavailable(f"no loader in {tree}")
    libraries = sorted({path.parent for path in tree.glob("**/*.so.[0-9]*")})
    launcher.parent.mkdir(parents=True, exist_ok=True)

    def place(path: Path) -> str:
        # Relative to the script, so that the whole may be moved.
        return f"$here/{os.path.relpath(path, launcher.parent)}"

    launcher.write_text(
        "#!/bin/sh\n"
        'here="${0%/*}"\n'
        f'exec "{place(loaders[0])}" --library-path "{":".join(map(place, libraries))}" \\\n'
        f'    "{place(tree / "usr/bin" / program)}" "$@"\n'
    )
    launcher.chmod(launcher.stat().st_mode | stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH)
