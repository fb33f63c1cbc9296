"""The live process: what it decides, what it may risk, its orders and its ledger."""
