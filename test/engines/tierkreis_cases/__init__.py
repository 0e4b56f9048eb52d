"""The graphs of tierkreis-oracle.py, built with the Python builder of the installed Tierkreis (2.0.9 to 2.1.1)."""

from . import choices, failures, loops, maps, nested, typed, values  # noqa: F401 each registers its own
from .case import cases, work

__all__ = ["cases", "work"]
