"""What a model learned from, told so exactly that it can be read again and compared.

The bars themselves stay where they are; their hash tells whether they are still the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """The bars from `start` up to `end`, UTC, with the columns that were read of them."""

    sha256: str
    start: datetime
    end: datetime
    bars: int
    columns: tuple[str, ...]


def take(bars: pd.DataFrame, interval: timedelta) -> Snapshot:
    """Tell what the bars are.

    Args:
        bars: Float columns, indexed by start (UTC), ascending; at least one row.
        interval: The bars' length.
    """
    return Snapshot(
        sha256=fingerprint(bars),
        start=bars.index[0].to_pydatetime(),
        end=bars.index[-1].to_pydatetime() + interval,
        bars=len(bars),
        columns=tuple(bars.columns),
    )


def fingerprint(bars: pd.DataFrame) -> str:
    """Return the SHA-256 of the columns' names, the times and the values."""
    hashed = sha256(",".join(bars.columns).encode())
    hashed.update(pd.DatetimeIndex(bars.index).as_unit("ns").asi8.tobytes())
    hashed.update(bars.to_numpy(dtype=np.float64).tobytes())
    return hashed.hexdigest()
