"""Set-up of a working copy: gets what the tests and the demo need into `build/`, without touching the system.

The modules here use the standard library alone, since they run before anything is installed.
"""
