"""The front door: the friday command and the one-machine stack."""
