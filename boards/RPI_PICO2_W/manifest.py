"""What MicroPython for it freezes: `make BOARD=RPI_PICO2_W FROZEN_MANIFEST=.../RPI_PICO2_W/manifest.py`."""

include("$(BOARD_DIR)/manifest.py")
include("../manifest.py", board="RPI_PICO2_W")
