# What a board has and a laptop has not, pretended: machine, network and espnow, for tests on CPython and on
# MicroPython's Unix port. Not for boards.
