"""Every error text reaches every client as the exception that client documents for it.

The table is the one of errors in Kraken's rules as these clients were seen to follow them: what
ccxt raises from a request, from `cancel_order` (where it is different) and from ccxt.pro's
websocket, and what python-kraken-sdk raises; where that has no exception it hands out the answer.
"""

import asyncio

import ccxt
import ccxt.pro
import pytest
from kraken import exceptions
from kraken.spot import User

TYPED = tuple(exceptions.EXCEPTION_ASSIGNMENT.values())
ORDER = ("XRP/USD", "limit", "buy", 10, 1.0)
TABLE = """
EAPI:Invalid key | AuthenticationError | ExchangeError | InvalidAPIKey
EAPI:Invalid signature | ExchangeError | ExchangeError | InvalidSignature
EAPI:Invalid nonce | InvalidNonce | ExchangeError | InvalidNonce
EAPI:Rate limit exceeded | DDoSProtection | ExchangeError | ApiLimitExceeded
EOrder:Rate limit exceeded | DDoSProtection | RateLimitExceeded | RateLimitExceeded
EOrder:Domain rate limit exceeded | ExchangeError | ExchangeError |
EGeneral:Too many requests | DDoSProtection | ExchangeError |
EGeneral:Temporary lockout | DDoSProtection | ExchangeError | TemporaryLockout
EService: Throttled: 1795000000 | ExchangeError | ExchangeError |
EService:Unavailable | ExchangeNotAvailable | ExchangeNotAvailable | ServiceUnavailable
EService:Busy | ExchangeNotAvailable | ExchangeError |
EDatabase:Internal error | ExchangeNotAvailable | ExchangeError |
EService:Timeout | ExchangeError | ExchangeError |
EService:Deadline elapsed | ExchangeError | ExchangeNotAvailable | DeadlineElapsed
EService:Market in cancel_only mode | OnMaintenance | NotSupported | MarketInOnlyCancelMode
EService:Market in post_only mode | OnMaintenance | NotSupported | MarketInOnlyPostMode
EService:Market in limit_only mode | ExchangeError | NotSupported |
EGeneral:Internal error | ExchangeNotAvailable | ExchangeError |
EGeneral:Internal error[:1] | ExchangeError | ExchangeError |
EGeneral:Permission denied | PermissionDenied | ExchangeError | PermissionDenied
EGeneral:Invalid arguments | BadRequest | BadRequest | InvalidArguments
EGeneral:Invalid arguments:volume | InvalidOrder | BadRequest | InvalidArguments
EGeneral:Invalid arguments:volume minimum not met | InvalidOrder | BadRequest | InvalidArguments
EGeneral:Invalid arguments:price | InvalidOrder | BadRequest | InvalidArguments
EGeneral:Invalid arguments:viqc | InvalidOrder | BadRequest | InvalidArguments
EGeneral:Invalid arguments:ordertype | ExchangeError | BadRequest | InvalidArguments
EGeneral:Invalid arguments:cl_ord_id not unique | ExchangeError | BadRequest | InvalidArguments
EOrder:Insufficient funds | InsufficientFunds | ExchangeError | InsufficientFunds
EOrder:Order minimum not met | InvalidOrder | ExchangeError | OrderMinimumNotMet
EOrder:Cost minimum not met | ExchangeError | ExchangeError | CostMinimumNotMet
EOrder:Tick size check failed | ExchangeError | ExchangeError | TickSizeInvalidCheck
EOrder:Invalid price | ExchangeError | InvalidOrder | InvalidPrice
EOrder:Invalid price:Invalid price argument | InvalidOrder | InvalidOrder | InvalidPrice
EOrder:Orders limit exceeded | ExchangeError | InvalidOrder | OrderLimitsExceeded
EOrder:Scheduled orders limit exceeded | ExchangeError | InvalidOrder |
EOrder:Post only order | ExchangeError | ExchangeError |
EOrder:Reduce only:No position exists | ExchangeError | ExchangeError |
EOrder:Invalid order | InvalidOrder | InvalidOrder | InvalidOrder
EOrder:Unknown order | InvalidOrder, OrderNotFound | OrderNotFound | UnknownOrder
EOrder:Cancel pending | CancelPending | ExchangeError |
EQuery:Unknown asset pair | ExchangeError | ExchangeError | UnknownAsset
EQuery:Invalid asset pair | BadSymbol | ExchangeError |
EQuery:Unknown asset | BadSymbol | ExchangeError | UnknownAsset
ESession:Invalid session | AuthenticationError | AuthenticationError |
EAuth:Rate limit exceeded | RateLimitExceeded | RateLimitExceeded |
WGeneral:Something | ExchangeError | ExchangeError |
"""


def rows():
    """Read the table: the text, then what a request, cancel_order, pro and the SDK make of it."""
    for line in TABLE.strip().splitlines():
        text, rest, pro, sdk = (cell.strip() for cell in line.split("|"))
        request, _, cancel = rest.partition(", ")
        yield text, [request, cancel or request, pro, f"Kraken{sdk}Error" if sdk else text]


class Clients:
    """One of each client, all on one account, each with a key of its own."""

    def __init__(self, sandbox):
        self.sandbox = sandbox
        self.loop = asyncio.new_event_loop()
        self.rest = sandbox.new_client("victim")
        self.rest.load_markets()
        mine = sandbox.new_client("victim")
        self.sdk = User(key=mine.apiKey, secret=mine.secret, url=sandbox.http)
        keys = sandbox.new_client("victim")
        self.pro = self.loop.run_until_complete(self.connected(keys.apiKey, keys.secret))

    async def connected(self, key, secret):
        """Give a ccxt.pro that knows the markets and has its websocket open."""
        client = ccxt.pro.kraken(
            {
                "apiKey": key,
                "secret": secret,
                "enableRateLimit": False,
                "urls": {"api": self.sandbox.addresses()},
            }
        )
        await client.load_markets()
        await client.cancel_all_orders_ws()
        return client

    def fault(self, method, text):
        """Let the next call of a method fail with a text."""
        self.sandbox.ask("/admin/faults", {"kind": "error", "method": method, "text": text})

    def outcomes(self, text):
        """Give what each client makes of a text."""
        calls = {
            "AddOrder": lambda: self.rest.create_order(*ORDER),
            "CancelOrder": lambda: self.rest.cancel_order("OAAAAA-AAAAA-AAAAAA"),
            "add_order": lambda: self.loop.run_until_complete(self.placed()),
            "Balance": self.sdk.get_account_balance,
        }
        for method, call in calls.items():
            self.fault(method, text)
            yield name_of(call, text)

    async def placed(self):
        """Place an order over the websocket, or find out in time that nobody answers."""
        async with asyncio.timeout(5):
            return await self.pro.create_order_ws(*ORDER)

    def end(self):
        """Close what is open."""
        self.loop.run_until_complete(self.pro.close())
        self.loop.close()


def name_of(call, text):
    """Give the kind of what a call raises, or else the error in what it answers."""
    try:
        answer = call()
    except ccxt.BaseError as error:
        return type(error).__name__ if text in str(error) else f"without its text: {error}"
    except TYPED as error:
        return type(error).__name__
    (told,) = answer["error"]
    return told


@pytest.fixture(scope="module")
def clients(sandbox):
    """Give one of each client for the whole table."""
    made = Clients(sandbox)
    yield made
    made.end()


@pytest.mark.parametrize(("text", "expected"), rows())
def test_clients_make_of_an_error_what_they_document(clients, text, expected):
    assert list(clients.outcomes(text)) == expected


def test_no_order_was_placed_by_a_refused_call(clients):
    assert clients.rest.fetch_open_orders() == []
