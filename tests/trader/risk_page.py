"""The table of docs/risk.md, written from the code: codes, limits, and how often each trips.

A false trip is a refusal although nothing is wrong, while the strategy has no edge at all.
"""

import ast
import inspect
from datetime import timedelta
from math import comb, erfc, exp, factorial, sqrt

from experiments import calibration
from serving import conduct
from trader import execution, risk, strategy, switch
from trader.limits import Act, Limits, pressure
from trader.settings import TraderSettings

LIMITS = Limits()
ODDS = TraderSettings.model_fields["max_model_odds"].default
# Measured on the Coinbase bars of 2025 (15 minutes, 301 days): half of TRADER_MAX_GROSS_USD
# in each of XRP and DOGE, all the time. test_risk_page.py measures them again.
DAY_DEVIATION = 67.7
DAYS = 301
DAYS_LOST = 1
DRAWDOWNS = 0.0011  # of 20,000 months put together from those days at random
MARKET_DEVIATION = 51.0  # a day's, of TRADER_MAX_POSITION_USD in DOGE alone, on the same bars
YEAR = 365 * 24 * 60  # bars of a minute


def tail(x):
    """Return the chance that a normal quantity exceeds so many deviations."""
    return erfc(x / sqrt(2)) / 2


def poisson_at_least(k, mean):
    """Return the chance of k or more where so many are usual."""
    return 1 - sum(exp(-mean) * mean**n / factorial(n) for n in range(k))


def drawdown_beyond(x, terms=20):
    """Return the chance that a driftless walk's drawdown exceeds x deviations of the whole time.

    The drawdown moves as the walk's distance from zero does (Levy), whose maximum is known.
    """
    return 4 * sum((-1) ** n * tail((2 * n + 1) * x) for n in range(terms))


def busiest_hour():
    """Return the most the exchange counts if every bar's order rests, moves and is given up."""
    acts = []
    for bar in range(60):
        begin = 60 * bar
        moves = range(begin + 5, begin + 30, 5)
        acts += [("intended", begin), *(("amending", at) for at in moves)]
        acts += [("cancelling", begin + 30), ("intended", begin + 31)]
    last = acts[-1][1]
    return max(
        pressure(Act(kind=k, age=timedelta(seconds=now - at)) for k, at in acts if at <= now)
        for now in range(last - 60, last + 1)
    )


def codes(function):
    """Return the codes a check can refuse with, those of the functions it calls included."""
    found = []
    for node in ast.walk(ast.parse(inspect.getsource(function))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            name = node.func.id
            if name == "_no" and isinstance(node.args[0], ast.Constant):
                found.append(node.args[0].value)
            elif name.startswith("_fresh") or name == "breach":
                found += codes(getattr(risk, name))
        if isinstance(node, ast.For) and "daily_loss" in ast.unparse(node.iter):
            found += ["daily_loss", "drawdown"]
    return list(dict.fromkeys(found))


def percent(chance):
    """Write a chance for people."""
    return "0" if chance == 0 else f"{chance:.1e}" if chance < 1e-4 else f"{chance:.2%}"


def seconds(span):
    """Write a time span for people."""
    return f"{span.total_seconds():g} s"


def limits_and_rates():
    """Return, by check, its limit with where it is set, and its implied false-trip rate."""
    of = LIMITS
    lost, drawn = of.max_daily_loss, of.max_drawdown
    month = DAY_DEVIATION * sqrt(30)
    entries, per_hour = of.max_entries_per_hour, 6
    reach, share = float(execution.REACH), float(strategy.CASH_SHARE)
    ours = "`Limits` in `trader/limits.py`"
    return {
        "trading_state": (
            "the standing halts",
            "0: it follows a halt, it starts none",
        ),
        "amounts": (
            "the market's own grid and minimum, read at each start",
            "0: sizes and prices are cut to the same grid; less than a lot is not proposed",
        ),
        "freshness": (
            f"book {seconds(of.max_quote_age)}, bar {of.max_bar_age:g} bars, {ours}",
            (
                f"where the book changes L times a second at random, exp(-2 L): "
                f"{percent(exp(-2 * 5))} at 5, {percent(exp(-2 * 2))} at 2; the bar: 0, it has "
                "just closed"
            ),
        ),
        "clock": (
            f"`TRADER_MAX_CLOCK_SKEW_SECONDS`, {seconds(of.max_clock_skew)}",
            (
                f"delays that deviate by 50 ms, median of 50: it deviates by "
                f"{1.2533 * 50 / sqrt(50):.1f} ms, so less than 1e-100"
            ),
        ),
        "collar": (
            (
                f"{of.collar:.2%}, {of.collar_spreads} spreads or {of.collar_deviations} "
                f"deviations of a minute, the most of them, {ours}"
            ),
            (
                f"0: our limits reach {reach:.2%} beyond the touch, and half a spread with that is "
                "less than the collar at any spread"
            ),
        ),
        "fat_finger": (
            (
                f"`TRADER_MAX_ORDER_USD`, {of.max_order_value}; {of.volume_share:.0%} of the "
                f"day's volume and {of.depth_share:.0%} of ten levels, {ours}"
            ),
            "0: the size is cut to the same bound; a thin book makes it smaller instead",
        ),
        "exposure": (
            (
                f"`TRADER_MAX_POSITION_USD`, {of.max_position_value}; `TRADER_MAX_GROSS_USD`, "
                f"{of.max_gross_value}"
            ),
            (
                "0: the size is cut to both; what is held elsewhere makes an order smaller, or "
                "none at all, instead"
            ),
        ),
        "cash": (
            "the ledger's cash",
            (
                f"0: an order takes {share:.0%} of the cash at most, {share * 1.008:.1%} with a "
                "fee of 0.80 %"
            ),
        ),
        "duplicate": (
            f"once a decision for ever; twins {seconds(of.repeat_window)}, {ours}",
            "0: a bar is decided once, and again only after its order has ended",
        ),
        "throttle": (
            (
                f"{of.max_orders_per_minute} orders a minute, a counter of "
                f"{of.max_pressure:g} of Kraken's 60, {of.max_changes_per_order} changes an "
                f"order and hour, {ours}"
            ),
            (
                "0: two markets of 60 s bars send 4 orders a minute; resting, moved every 5 s and "
                f"given up on every bar, a market counts {busiest_hour():.0f}, and 3 changes an "
                "order"
            ),
        ),
        "repeated_execution": (
            f"`TRADER_MAX_ENTRIES_PER_HOUR`, {entries}",
            (
                f"never out of the market, 10 bars of 60 s make {per_hour} entries an hour: 0 if "
                f"they are kept, {percent(poisson_at_least(entries, per_hour))} an hour if each "
                "ends at random"
            ),
        ),
        "losses": (
            f"`TRADER_MAX_DAILY_LOSS_USD`, {lost}; `TRADER_MAX_DRAWDOWN_USD`, {drawn}",
            (
                f"always fully invested, {DAY_DEVIATION:g} USD a day: a day's loss "
                f"{percent(2 * tail(float(lost) / DAY_DEVIATION))} if returns were normal, "
                f"{percent(DAYS_LOST / DAYS)} as measured ({DAYS_LOST} of {DAYS} days); a drawdown "
                f"within 30 days {percent(drawdown_beyond(float(drawn) / month))} if normal, "
                f"{percent(DRAWDOWNS)} as measured"
            ),
        ),
        "exchange_status": (
            "the exchange's own word, and its execution reports",
            "0: the exchange would refuse; while it does not report to us, by design",
        ),
        "deadline": (
            (
                f"{seconds(of.shortest_deadline)} to {seconds(of.longest_deadline)}, Kraken's "
                "own; `TRADER_ORDER_DEADLINE_SECONDS`, 2 s"
            ),
            "0: the setting is within; Kraken refuses what takes more than 2 s to arrive",
        ),
        "dead_mans_switch": (
            f"{seconds(of.max_switch_age)} since it was renewed, {ours}",
            (
                f"renewed every {seconds(switch.RENEW_EVERY)}: where one request in a hundred "
                f"fails, three in a row, {percent(0.01**3)} a minute"
            ),
        ),
        "model": (
            "the registered contract",
            (
                "0: the served probability is kept within (0, 1), the features' hash is compared "
                "at loading too"
            ),
        ),
    }


def table():
    """Return the table."""
    about = limits_and_rates()
    lines = [
        "| # | what it checks | codes | limit, and where it is set | implied false trips |",
        "|--|--|--|--|--|",
    ]
    for number, check in enumerate(risk.CHECKS, start=1):
        name = check.__name__
        limit, rate = about[name]
        said = inspect.getdoc(check).splitlines()[0]
        quoted = ", ".join(f"`{code}`" for code in codes(check))
        lines.append(f"| {number} | {said} | {quoted} | {limit} | {rate} |")
    return "\n".join(lines) + "\n"


def falls(amount, days):
    """Return the chance that a driftless walk is so far below its start within so many days."""
    return 2 * tail(float(amount) / (MARKET_DEVIATION * sqrt(days)))


def stuck(repeats):
    """Return how often a year a score stays the same too long, if so many of them repeat."""
    return YEAR * (1 - repeats) * repeats ** (conduct.SAME - 1)


def too_slow(share):
    """Return how often a year too many answers close together are slow, if so many are."""
    others = conduct.LOOKED_AT - 1
    return YEAR * comb(others, conduct.AT_MOST) * share ** (conduct.AT_MOST + 1)


def model_rows():
    """Return what a model is rolled back for, the limit, and the implied false-trip rate."""
    looked, most = conduct.LOOKED_AT, conduct.AT_MOST
    return [
        ("it cannot score, or its score is no probability", "none", "0: it follows an error"),
        (
            "it is slow",
            (
                f"`TRADER_MAX_PREDICTION_SECONDS`, {LIMITS.max_prediction_seconds:g} s of CPU, "
                f"more than {most} of {looked} answers"
            ),
            f"where one answer in a thousand is slow by chance, {too_slow(0.001):.1e} a year",
        ),
        (
            "it is all but certain",
            f"within {conduct.CERTAIN:g} of 0 or 1, more than {most} of {looked} answers",
            "0: serving cut it there; no finite sample supports such a claim",
        ),
        (
            "its score does not move",
            f"{conduct.SAME} bars in a row that differ, `serving/conduct.py`",
            (
                f"where it repeats at nine bars of ten, {stuck(0.9):.1e} a year; at nineteen of "
                f"twenty, {stuck(0.95):.2g}"
            ),
        ),
        (
            "its market has lost too much since its promotion",
            f"`TRADER_MAX_MODEL_LOSS_USD`, {LIMITS.max_model_loss}",
            (
                f"always fully invested without an edge, {MARKET_DEVIATION:g} USD a day: "
                f"{percent(falls(LIMITS.max_model_loss, 1))} within a day, "
                f"{percent(falls(LIMITS.max_model_loss, 7))} within a week, "
                f"{percent(falls(LIMITS.max_model_loss, 30))} within 30 days"
            ),
        ),
        (
            "its probabilities do not come true",
            (
                f"wrong by more than {calibration.TOLERANCE:g}, `TRADER_MAX_MODEL_ODDS`, "
                f"{ODDS:g} to 1"
            ),
            f"{percent(1 / ODDS)} of all its life at most, whenever one looks",
        ),
    ]


def models_table():
    """Return the table of what a model is rolled back for."""
    lines = [
        "| a model goes, as | limit, and where it is set | implied false trips |",
        "|--|--|--|",
    ]
    lines += [f"| {why} | {limit} | {rate} |" for why, limit, rate in model_rows()]
    return "\n".join(lines) + "\n"
