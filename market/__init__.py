"""What trades where, what it did, and what a model sees of it."""
