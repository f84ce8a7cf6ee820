"""Set-up of a working copy: what the tests and the demo need, obtained into `build/` without touching the system.

The modules here use the standard library alone, since they run before anything is installed.
"""
