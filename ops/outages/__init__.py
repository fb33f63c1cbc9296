"""The real tier of the fault campaign: separate processes, killed at drawn instants."""
