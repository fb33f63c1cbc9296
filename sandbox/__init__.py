"""A Kraken that runs here: REST, WebSocket v2, matching, accounts, a market."""
