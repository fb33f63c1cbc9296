"""Everything this package raises on purpose.

* DriftError
    * ReportRefused    there is too little to draw a report of
"""

from __future__ import annotations


class DriftError(Exception):
    """The root of every error this package raises on purpose."""


class ReportRefused(DriftError):
    """There is too little to draw a report of."""
