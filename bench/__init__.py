"""Benchmarks that anyone can rerun: ``make bench``, or ``.venv/bin/python -m bench NAME ...``.

Each is a module with ``TITLE``, ``NOTES`` and ``measure(quick, tell)``, which returns rows for a table. A figure of this
project stands beside one of a peer that was taken in the same run, and their ratio is what counts: machines differ.
"""
