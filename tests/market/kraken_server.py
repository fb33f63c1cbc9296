"""Kraken's public history of one made-up market, on the loopback."""

import json
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import parse_qs, urlsplit

FIRST = 1_790_000_040  # a whole minute
NOW = FIRST + 86_400 + 30


def trade(number):
    price = f"{2 + number % 5 / 100:.5f}"
    return [price, "1.50000000", FIRST + 30 * number + 0.25, "b", "l", "", number + 1]


def answer(path, query):
    """Speak for a market with a trade every thirty seconds since FIRST."""
    if path.endswith("Time"):
        return {"unixtime": NOW}
    if query["pair"] != ["XRP/USD"]:
        return None
    since = int(query["since"][0])
    if path.endswith("Trades"):
        trades = [trade(n) for n in range(2881) if trade(n)[2] * 1e9 > since][:1000]
        return {"XRP/USD": trades, "last": str(int(trades[-1][2] * 100) * 10**7)}
    rows = []
    for minute in range(1440 - 719, 1441):
        prices = [float(trade(n)[0]) for n in (2 * minute, 2 * minute + 1)]
        first, last = (f"{price:.5f}" for price in prices)
        row = [first, f"{max(prices):.5f}", f"{min(prices):.5f}", last, "0", "3.0", 2]
        rows.append([FIRST + 60 * minute, *row])
    return {"XRP/USD": [row for row in rows if row[0] > since], "last": NOW}


@contextmanager
def trading():
    """Serve the market above, after as many failures as asked for; yields address and that list."""
    failures = []

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self):
            url = urlsplit(self.path)
            result = None if failures else answer(url.path, parse_qs(url.query))
            errors = [] if result else ["EQuery:Unknown asset pair"]
            body = json.dumps({"error": errors, "result": result})
            status, body = (failures.pop(), "") if failures else (200, body)
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    thread = Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", failures
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
