"""What MicroPython for it freezes: `make BOARD=RPI_PICO FROZEN_MANIFEST=.../RPI_PICO/manifest.py`."""

include("$(PORT_DIR)/boards/manifest.py")
include("../manifest.py", board="RPI_PICO")
