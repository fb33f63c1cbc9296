"""Option quotes on record: each contract's quote of a moment once, however often it is told."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from sqlalchemy.dialects.postgresql import insert

from sql import months
from sql.tables import OptionQuoteRow

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from market.options import OptionQuote


def record_quotes(session: Session, quotes: list[OptionQuote], source: str) -> int:
    """Write down quotes that are not on record; the caller commits.

    Returns:
        How many were new.
    """
    if not quotes:
        return 0
    months.ensure(session, "option_quotes", (quote.quoted_at for quote in quotes))
    rows = [_row(quote, source) for quote in quotes]
    statement = insert(OptionQuoteRow).on_conflict_do_nothing()
    return len(session.execute(statement.returning(OptionQuoteRow.contract), rows).all())


def _row(quote: OptionQuote, source: str) -> dict[str, object]:
    told = asdict(quote)
    spelt = told.pop("contract")
    symbol = spelt.pop("symbol")
    return {**told, **spelt, "contract": symbol, "source": source}
