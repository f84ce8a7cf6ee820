"""What a board's own MicroPython freezes of it: include this from the board's manifest.

build/inlined is the firmware with its constants in place, which `python -m host_tools.setup.mpy` makes.
"""

package("msgin5g", base_path="../build/inlined")
