"""Play a recording of the trader back through its own code, and compare what it decides."""
