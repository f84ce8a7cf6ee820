# When what was written to a file survives a power cut.

import os


def sync(file):
    # MicroPython's flush() syncs; a host has that apart.
    file.flush()
    if hasattr(os, "fsync"):
        os.fsync(file.fileno())


def sync_folder(folder):
    # On a host, a new file's name is durable by this alone.
    if hasattr(os, "fsync"):
        descriptor = os.open(folder, 0)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
