"""Chance with an address: the same key always draws the same numbers.

Every draw of the simulator comes from a generator made for one purpose (seed, what, whom, which day),
never from one that is handed on. So nothing depends on the order in which days are told.
"""

from functools import lru_cache
from hashlib import blake2b
from typing import Any

import numpy as np
from numpy.random.bit_generator import ISeedSequence


class _Digest(ISeedSequence):
    """The first state of a bit generator, from a digest: eight times as fast to make as a SeedSequence."""

    def __init__(self, key: tuple[int | str, ...]) -> None:
        self._key = key

    def generate_state(self, n_words: int, dtype: Any = np.uint32) -> np.ndarray:
        size = n_words * np.dtype(dtype).itemsize
        digest = blake2b("/".join(map(str, self._key)).encode(), digest_size=size).digest()
        return np.frombuffer(digest, np.dtype(dtype).newbyteorder("<"))


def generator(*key: int | str) -> np.random.Generator:
    """A generator for `key` (whole numbers and words)."""
    return np.random.Generator(np.random.PCG64(_Digest(key)))  # type: ignore[arg-type]  # numpy takes any ISeedSequence


def autocorrelated(rng: np.random.Generator, count: int, memory: int) -> np.ndarray:
    """`count` values of mean 0 and deviation 1 whose likeness fades over `memory` steps."""
    kernel = _fading(memory)
    white = rng.standard_normal(count + kernel.size - 1)
    return np.convolve(white, kernel, mode="valid")


@lru_cache(maxsize=16)
def _fading(memory: int) -> np.ndarray:
    kernel = np.exp(-np.arange(4 * memory) / memory)
    kernel /= np.sqrt((kernel**2).sum())
    return kernel
