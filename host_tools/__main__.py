"""``python -m host_tools`` is ``msgin5g``."""

from host_tools.cli import main

main()
