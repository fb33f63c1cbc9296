"""No method of the four clients is left out of the tests that run them against the sandbox."""

import inspect
import re
from pathlib import Path

import ccxt
import ccxt.pro
import pytest
from kraken.spot import Market, SpotOrderBookClient, SpotWSClient, Trade, User

TESTS = "".join(path.read_text() for path in Path(__file__).parent.glob("test_sandbox_*.py"))
CALLED = re.compile(r"^(fetch|watch|create|cancel|edit|transfer|withdraw)")
# Not of the exchange: what the SDK does for itself, or offers to be overridden.
OWN = {"get_nonce", "request", "on_message", "async_close", "stop", "get_ws_token", "get_first"}


def is_called(name):
    return re.search(rf'[.]{name}\(|"{name}"', TESTS) is not None


@pytest.mark.parametrize("made", [ccxt.kraken, ccxt.pro.kraken], ids=["ccxt", "ccxt.pro"])
def test_every_method_that_ccxt_says_it_has_is_called(made):
    client = made()
    names = [client.un_camel_case(name) for name, has in client.has.items() if has]
    wanted = {name for name in names if CALLED.match(name) and hasattr(client, name)}

    assert len(wanted) > 40
    assert {name for name in wanted if not is_called(name)} == set()


@pytest.mark.parametrize("made", [Market, Trade, User, SpotWSClient, SpotOrderBookClient])
def test_every_method_of_the_sdk_is_called(made):
    found = inspect.getmembers(made, inspect.isfunction)
    wanted = {name for name, _ in found if not name.startswith("_")} - OWN

    assert len(wanted) >= 4
    assert {name for name in wanted if not is_called(name) and f"def {name}(" not in TESTS} == set()
