"""Benchmarks that anyone can rerun: ``make bench``, or ``.venv/bin/python -m bench NAME ...``.

Each is a module with ``TITLE``, ``NOTES`` and ``measure(quick, tell)``, which returns rows for a table. Where there is
a peer, its figure is taken in the same run, and their ratio is what counts: machines differ.
"""
