"""Who is in production is moved: a version promoted, or an earlier one put back."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

from registry import overriding, store
from registry.contract import model_name
from registry.errors import PromotionRefused

if TYPE_CHECKING:
    from collections.abc import Callable

    from mlflow import MlflowClient

    from registry.overriding import Override
    from registry.store import RegisteredVersion


@dataclass(frozen=True, slots=True, kw_only=True)
class Promoted:
    """A version that became the production one, and the one it took over from."""

    symbol: str
    version: int
    previous: int | None


def promote(
    client: MlflowClient,
    symbol: str,
    number: int,
    *,
    override: Override | None = None,
    left: int | None = None,
    first: Callable[[], object] = tuple,
) -> Promoted:
    """Make a version the production one, and remember the one before under `previous`.

    That is `left`, or what the registry has in production.

    If a version is in stage Production this one takes its place there, so that the two ways
    of saying it agree. Doing so twice changes nothing more. An `override`, somebody's word that
    its gate shall not count, becomes the version's tag. `first` is done before the alias moves.

    Raises:
        VersionUnknown: The registry does not have it.
        PromotionRefused: Its gate did not let it pass, and nobody overrides that; or it did,
            and there is nothing to override.
    """
    _check_gate(store.version(client, symbol, number), override)
    if override is not None:
        name, word = model_name(symbol), str(override)
        with store.translated(symbol):
            client.set_model_version_tag(name, str(number), overriding.OVERRIDE, word)
    left = left or store.production_version(client, symbol)
    return _move(client, symbol, number, left, first, forget=False)


def restore(
    client: MlflowClient,
    symbol: str,
    number: int,
    *,
    left: int | None = None,
    first: Callable[[], object] = tuple,
) -> Promoted:
    """Make an earlier version the production one again.

    The one it takes over from, `left` or the alias's, is not remembered: a rollback must not lead
    back to it. Nor is a word that its gate shall not count: who wants it back gives another.

    Raises:
        VersionUnknown: The registry does not have it.
        PromotionRefused: Its gate did not let it pass.
    """
    _check_gate(store.version(client, symbol, number), None)
    left = left or store.production_version(client, symbol)
    with store.translated(symbol):
        if left is not None and overriding.OVERRIDE in store.version(client, symbol, left).tags:
            client.delete_model_version_tag(model_name(symbol), str(left), overriding.OVERRIDE)
    return _move(client, symbol, number, left, first, forget=True)


def _move(
    client: MlflowClient,
    symbol: str,
    number: int,
    left: int | None,
    first: Callable[[], object],
    *,
    forget: bool,
) -> Promoted:
    name, pointed = model_name(symbol), store.aliases(client, symbol)
    staged = store.staged_version(client, symbol)
    with store.translated(symbol):
        # What counts comes last: whoever fails before that has moved nothing.
        if forget:
            client.delete_registered_model_alias(name, store.PREVIOUS)
        elif left not in {None, number}:
            client.set_registered_model_alias(name, store.PREVIOUS, str(left))
        if pointed.get(store.CHALLENGER) == number:
            client.delete_registered_model_alias(name, store.CHALLENGER)
        first()
        client.set_registered_model_alias(name, store.PRODUCTION, str(number))
        if staged not in {None, number}:
            _stage(client, name, number)
    return Promoted(symbol=symbol, version=number, previous=left)


def _check_gate(wanted: RegisteredVersion, override: Override | None) -> None:
    named = f"{wanted.symbol} version {wanted.version}"
    if wanted.passed and override is not None:
        raise PromotionRefused(f"{named} passed its gate; promote it without an override")
    if not wanted.passed and override is None and wanted.override is None:
        raise PromotionRefused(
            f"{named} may not be promoted, its gate says "
            f"{wanted.gate or 'nothing'}: {wanted.gate_reason or 'it was never judged'}"
        )


def _stage(client: MlflowClient, name: str, number: int) -> None:
    with warnings.catch_warnings():
        # MLflow announces that stages will go; until then people have them.
        warnings.simplefilter("ignore", FutureWarning)
        client.transition_model_version_stage(
            name, str(number), "Production", archive_existing_versions=True
        )
