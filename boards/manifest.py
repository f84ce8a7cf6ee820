"""What a board's own MicroPython freezes of it: include this from the board's manifest.

build/inlined is the firmware with its constants in place, which `python -m host_tools.setup.mpy` makes. All of it is
frozen, or the components that are named, as the package files in ../firmware are:

    include("/where/this/is/boards/manifest.py", components="minimal flash topics")

or those that the board.toml of a board names, as the manifest in its folder does:

    include("../manifest.py", board="ESP32_GENERIC")

bundled=True takes build/bundled instead, in which modules that are always loaded together are one: the least heap, and
tracebacks that tell lines of that folder's files.
"""

import json
import tomllib
from pathlib import Path

options.defaults(components="", board="", bundled=False)

components = options.components.split()
if options.board:
    components = tomllib.loads(Path(options.board, "board.toml").read_text())["components"]

for component in components:
    package_file = json.loads(Path(f"../firmware/package-{component.replace('_', '-')}.json").read_text())
    modules = [place[0] for place in package_file["urls"]]
    # One of constants alone may have nothing left.
    there = [
        module.removeprefix("msgin5g/") for module in modules if Path("../build/inlined", module).exists()
    ]
    package("msgin5g", files=there, base_path="../build/inlined")

if not components:
    package("msgin5g", base_path="../build/bundled" if options.bundled else "../build/inlined")
