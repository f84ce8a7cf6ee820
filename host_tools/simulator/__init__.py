"""Boards without a board: real MicroPython processes that run the MSGin5G Client."""
