"""The numbers this project promises, measured here and now by `friday bench`."""
