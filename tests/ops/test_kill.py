"""The kill switch cancels everything and halts, whatever else hangs or is away."""

import http.server
from datetime import UTC, datetime
from threading import Thread

import pytest
from sqlalchemy import create_engine
from sqlalchemy.orm import Session

from market.errors import ExchangeRefused, ExchangeUnreachable
from ops import kill
from trader import record

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


class Account:
    """Answers in turn what it was given: how many orders were cancelled, or an error."""

    def __init__(self, *answers):
        self.answers = list(answers)

    def cancel_all(self):
        """Give the next answer; the last one for ever."""
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


class Clock:
    """Time that passes only while one waits."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        """Tell the time."""
        return self.now

    def wait(self, seconds):
        """Let time pass."""
        self.now += seconds


def test_it_asks_until_nothing_was_left_twice():
    account = Account(3, 0, 1, 0, 0, AssertionError("asked too often"))

    assert kill.cancel_everything(account, Clock().wait) == 4


def test_an_answer_that_got_lost_is_asked_for_again():
    account = Account(ExchangeUnreachable("a time-out"), 2, 0, 0, AssertionError("too often"))

    assert kill.cancel_everything(account, Clock().wait) == 2


def test_an_exchange_that_stays_away_is_said_and_ends():
    clock = Clock()

    with pytest.raises(ExchangeUnreachable, match="did not confirm within 30 attempts"):
        kill.cancel_everything(Account(ExchangeUnreachable("away")), clock.wait)
    assert clock.now == 30


def test_a_key_that_may_not_cancel_is_said_at_once():
    with pytest.raises(ExchangeRefused):
        kill.cancel_everything(Account(ExchangeRefused("Permission denied")), Clock().wait)


def test_the_halt_is_on_record(engine):
    assert kill.halt(engine, "it hangs", "somebody", NOON)

    with Session(engine) as session:
        (halt,) = record.current_halts(session)
    assert (halt.reason_code, halt.reason, halt.who) == ("kill", "it hangs", "somebody")


def test_a_record_that_is_away_does_not_keep_it_from_cancelling(capsys):
    away = create_engine("postgresql+psycopg2://nobody@127.0.0.1:1/none")

    assert not kill.halt(away, "it hangs", "somebody", NOON)
    assert "the record is away" in capsys.readouterr().err
    assert not kill.halt(None, "it hangs", "somebody", NOON)


@pytest.fixture
def trader():
    """Run something that answers as the trader's health does, well until told otherwise."""
    answers = []

    class Health(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(answers.pop(0) if answers else 503)
            self.end_headers()

        def log_message(self, *_):
            """Say nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Health)
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/health", answers
    server.shutdown()
    server.server_close()


def test_a_watched_trader_is_left_alone_while_it_recovers_in_time(trader):
    url, answers = trader
    answers += [200, 503, 503, 200, 503, 503, 200]
    clock = Clock()

    reason = kill.watch(url, 4, clock, clock.wait)

    assert not answers
    assert clock.now == 10
    assert reason == "the trader was not well for 4 s: it answers 503"


def test_a_watched_trader_that_is_gone_is_killed():
    clock = Clock()

    reason = kill.watch("http://127.0.0.1:1/health", 15, clock, clock.wait)

    assert reason == "the trader was not well for 15 s: ConnectionError"
