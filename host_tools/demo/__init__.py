"""The main job, shown on this machine: ``msgin5g demo``."""

from host_tools.demo.story import Demo

__all__ = ["Demo"]
