"""What MicroPython for it freezes: `make BOARD=RPI_PICO_W FROZEN_MANIFEST=.../RPI_PICO_W/manifest.py`."""

include("$(BOARD_DIR)/manifest.py")
include("../manifest.py", board="RPI_PICO_W")
