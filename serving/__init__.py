"""Which models score a market's bars: what the registry wants, verified, kept, and watched."""
