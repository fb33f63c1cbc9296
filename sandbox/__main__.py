"""Start the exchange with `python -m sandbox`."""

from sandbox.cli import serve

serve()
