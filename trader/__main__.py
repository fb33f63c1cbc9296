"""Start the live trader; `friday trade` runs this in the place of itself."""

from __future__ import annotations

import sys

# xgboost imports these if it can: 2.5 s and 120 MiB that the live process does not need.
for heavy in ("sklearn", "pandas"):
    sys.modules[heavy] = None  # type: ignore[assignment] # None is how Python blocks an import

from trader.start import main  # noqa: E402 - the block above comes first on purpose

if __name__ == "__main__":
    sys.exit(main())
