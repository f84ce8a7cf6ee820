"""Logs go to standard error: lines for people on a terminal, one JSON object a line everywhere else.

``MSGIN5G_LOG_FORMAT`` in the environment, ``json`` or ``text``, says otherwise.
"""

from __future__ import annotations

import logging
import os
import sys

import structlog
from structlog.tracebacks import ExceptionDictTransformer


def configure(level: str = "info", as_json: bool | None = None) -> None:
    """Set up logging for the process.

    Args:
        level: the least severe level that is logged: debug, info, warning or error.
        as_json: None for what the environment says, or else what suits standard error.
    """
    if as_json is None:
        told = os.environ.get("MSGIN5G_LOG_FORMAT")
        as_json = told == "json" if told in {"json", "text"} else not sys.stderr.isatty()
    # Names and causes come from the network; the console renderer quotes what is not printable, JSON escapes it.
    renderer = (
        structlog.processors.JSONRenderer(default=str)
        if as_json
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    # Where it failed and why, but not what the code had in its hands: keys, most likely.
    tracebacks = structlog.processors.ExceptionRenderer(ExceptionDictTransformer(show_locals=False))
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            tracebacks if as_json else structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level.upper())),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
