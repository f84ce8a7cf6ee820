"""What MicroPython for it freezes: `make BOARD=ESP32_GENERIC_C3 FROZEN_MANIFEST=.../ESP32_GENERIC_C3/manifest.py`."""

include("$(PORT_DIR)/boards/manifest.py")
include("../manifest.py", board="ESP32_GENERIC_C3")
