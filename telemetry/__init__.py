"""What the live process lets others see: numbers, its health, and a recording of all it heard."""
