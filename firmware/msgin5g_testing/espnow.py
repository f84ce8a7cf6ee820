# MicroPython's module espnow: to come.
