"""Which variant is better: who gets it, how long to watch, and what was learned."""
