"""A stream delivers in order, tells when it breaks, and comes back by itself."""

from contextlib import contextmanager
from queue import Queue
from threading import Thread

from kraken_messages import book_text, instrument, trade_text
from websockets.sync.server import serve

from market.errors import ExchangeUnreachable
from streams.events import BookChanged, Traded, Trusted
from streams.feed import Feed
from streams.stream import Connected, Disconnected, Stream

BOOK = {"bids": [("2.09000", "5.00000000")], "asks": [("2.10000", "7.50000000")]}


@contextmanager
def exchange(talk):
    """Run a websocket server on the loopback that talks to every connection in turn."""
    with serve(talk, "127.0.0.1", 0) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"ws://127.0.0.1:{server.socket.getsockname()[1]}"
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def streaming(url, make_feed):
    queue = Queue()
    stream = Stream("market", url, make_feed, queue)
    stream.start()
    try:
        yield queue
    finally:
        stream.stop()
        assert not stream._thread.is_alive()


def a_feed(heard):
    return Feed({"XRP/USD": instrument()}, heard=heard)


def take(queue, count):
    return [queue.get(timeout=10) for _ in range(count)]


def test_events_arrive_in_order_after_the_subscriptions_were_sent():
    asked = []

    def talk(socket):
        asked.extend([socket.recv(), socket.recv()])
        socket.send(book_text("snapshot", **BOOK))
        socket.send(trade_text("snapshot", [1, 2]))
        socket.recv()

    with exchange(talk) as url, streaming(url, a_feed) as queue:
        events = [e for e in take(queue, 6) if type(e).__name__ != "ClockAdvanced"]

    assert events[0] == Connected(stream="market")
    assert [type(event) for event in events[1:]] == [BookChanged, Traded, Traded, Trusted]
    assert ["trade" in asked[0], "book" in asked[1]] == [True, True]


def test_a_closed_connection_is_told_and_made_anew():
    talks = []

    def talk(socket):
        talks.append(socket)
        if len(talks) > 1:
            socket.recv()
            socket.send(trade_text("snapshot", [1]))
            socket.recv()
            socket.recv()

    with exchange(talk) as url, streaming(url, a_feed) as queue:
        first, lost, again, trade = take(queue, 4)

    assert (first, again) == (Connected(stream="market"), Connected(stream="market"))
    assert isinstance(lost, Disconnected)
    assert isinstance(trade, Traded)


def test_a_broken_feed_is_replaced_by_a_new_one():
    feeds = []

    def make_feed(heard):
        feeds.append(a_feed(heard))
        return feeds[-1]

    def talk(socket):
        socket.recv()
        socket.send("nonsense")
        for _ in socket:
            pass

    with exchange(talk) as url, streaming(url, make_feed) as queue:
        _, lost, _ = take(queue, 3)

    assert "no known shape" in lost.reason
    assert len(feeds) >= 2


def test_a_feed_that_cannot_be_made_counts_as_a_failed_attempt():
    def make_feed(_heard):
        raise ExchangeUnreachable("no token today")

    with exchange(lambda socket: socket.recv()) as url, streaming(url, make_feed) as queue:
        (lost,) = take(queue, 1)

    assert "no token today" in lost.reason


def test_an_exchange_that_is_not_there_is_told():
    with streaming("ws://127.0.0.1:9", a_feed) as queue:
        (lost,) = take(queue, 1)

    assert isinstance(lost, Disconnected)
    assert "refused" in lost.reason


def test_trades_of_a_pause_are_made_up_for_after_it():
    talks = []

    def talk(socket):
        talks.append(socket)
        socket.recv()
        socket.send(trade_text("snapshot", [1, 2] if len(talks) == 1 else range(1, 6)))
        if len(talks) > 1:
            for _ in socket:
                pass

    feeds = []

    def make_feed(heard):
        known = feeds[-1].last_trade_ids() if feeds else {}
        feeds.append(Feed({"XRP/USD": instrument()}, heard=heard, trade_ids=known))
        return feeds[-1]

    with exchange(talk) as url, streaming(url, make_feed) as queue:
        ids = []
        while len(ids) < 5:
            event = queue.get(timeout=10)
            ids += [event.trade.trade_id] if isinstance(event, Traded) else []

    assert ids == [1, 2, 3, 4, 5]
