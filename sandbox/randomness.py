"""Random numbers that depend on a key alone, so that any moment can be asked for directly.

Nothing here keeps state: the same key always gives the same numbers.
"""

from __future__ import annotations

from functools import lru_cache
from hashlib import blake2b
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

Integers = npt.NDArray[np.uint64]
_NORMAL = NormalDist()
_TEXT = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def digest(*words: object, size: int = 16) -> bytes:
    """Hash a key made of words and numbers."""
    return blake2b("|".join(map(str, words)).encode(), digest_size=size).digest()


@lru_cache(maxsize=1024)
def number(*words: object) -> int:
    """Give the 64-bit number of a key."""
    return int.from_bytes(digest(*words, size=8), "little")


def generator(*words: object) -> np.random.Generator:
    """Give the stream of random numbers of a key."""
    return np.random.Generator(np.random.Philox(key=int.from_bytes(digest(*words), "little")))


def two_normals(*words: object) -> tuple[float, float]:
    """Give two independent standard normal numbers of a key."""
    raw = digest(*words)
    first = (int.from_bytes(raw[:8], "little") + 0.5) / 2**64
    second = (int.from_bytes(raw[8:], "little") + 0.5) / 2**64
    edge = 1e-12
    return (
        _NORMAL.inv_cdf(min(max(first, edge), 1 - edge)),
        _NORMAL.inv_cdf(min(max(second, edge), 1 - edge)),
    )


def scramble(values: Integers) -> Integers:
    """Turn each 64-bit number into another that looks unrelated (splitmix64).

    Source: Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014.
    """
    mixed = values + np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))


def code(prefix: str, *words: object) -> str:
    """Mint an identifier of Kraken's grammar, such as `OUF4EM-FRGI2-MQMWZD`."""
    rest, text = int.from_bytes(digest(prefix, *words), "little"), prefix
    while len(text) < 17 + len(prefix) - 1:
        rest, place = divmod(rest, 36)
        text += _TEXT[place]
    return f"{text[:6]}-{text[6:11]}-{text[11:17]}"
