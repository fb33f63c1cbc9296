"""The random numbers of R, which published examples are drawn from.

Source: R's own RNG.c and snorm.c: Mersenne Twister seeded by a congruence, normal numbers by
inversion of two uniform ones.
"""

import numpy as np
from scipy import stats

WORDS = 624
MASK = 0xFFFFFFFF
UNIT = 2.3283064365386963e-10  # 2 ** -32
CLOSEST = 0.5 * 2.328306437080797e-10
BIG = 134217728


def rnorm(seed, count):
    """Return the normal numbers that R draws after set.seed(seed)."""
    state = seed
    for _ in range(50):
        state = (69069 * state + 1) & MASK
    key = []
    for _ in range(1 + WORDS):  # the first is R's position, which it overwrites
        state = (69069 * state + 1) & MASK
        key.append(state)
    generator = np.random.MT19937()
    known = generator.state
    known["state"] = {"key": np.array(key[1:], dtype=np.uint32), "pos": WORDS}
    generator.state = known
    uniform = np.clip(generator.random_raw(2 * count) * UNIT, CLOSEST, 1 - CLOSEST)
    return stats.norm.ppf((np.floor(BIG * uniform[0::2]) + uniform[1::2]) / BIG)
