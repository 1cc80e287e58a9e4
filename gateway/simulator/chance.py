"""Chance with an address: the same key always draws the same numbers.

Every draw of the simulator comes from a generator made for one purpose (seed, what, whom, which day),
never from one that is handed on. So nothing depends on the order in which days are told.
"""

from zlib import crc32

import numpy as np


def generator(*key: int | str) -> np.random.Generator:
    """A generator for `key` (whole numbers ≥ 0 and words)."""
    words = [crc32(part.encode()) if isinstance(part, str) else part for part in key]
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(words)))


def autocorrelated(rng: np.random.Generator, count: int, memory: int) -> np.ndarray:
    """`count` values of mean 0 and deviation 1 whose likeness fades over `memory` steps."""
    kernel = np.exp(-np.arange(4 * memory) / memory)
    kernel /= np.sqrt((kernel**2).sum())
    white = rng.standard_normal(count + kernel.size - 1)
    return np.convolve(white, kernel, mode="valid")
