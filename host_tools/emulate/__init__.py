"""A real RP2040 firmware image with the client on it, emulated: ``make emulate UF2=... BOOTROM=...``."""
