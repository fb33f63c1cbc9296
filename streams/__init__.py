"""What does the exchange tell us as it happens, and can it be trusted: text in, events out."""
