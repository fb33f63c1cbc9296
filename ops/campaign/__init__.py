"""The fault campaign: the real trader and the real sandbox on a simulated clock, and damage."""
