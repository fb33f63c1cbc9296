"""What a backtest needs from the record and the registry, and what a person sees of it."""
