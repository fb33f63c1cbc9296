"""The live process, and the market's vocabulary it shares with training."""
