"""A packed sequence of binary digits."""

from dataclasses import dataclass

import numpy as np

from runproof.validation import random_generator, require_memory, whole_number


@dataclass(frozen=True, eq=False, repr=False)
class Bits:
    """A read-only sequence of binary digits, eight to a byte.

    Parameters
    ----------
    packed : ndarray of uint8, shape (ceil(n / 8),)
        The digits, most significant bit first; the bits after the last digit
        are zero. The array is not copied: it becomes read-only.
    n : int
        The number of digits, at least 1.

    Raises
    ------
    TypeError, ValueError
        If the array has another type or size, or a bit set after digit n.

    Notes
    -----
    ``bits[k]`` is the digit at position k + 1; ``bits[a:b]`` is again `Bits`;
    ``~bits`` swaps zeros and ones; ``==`` compares digit by digit.
    """

    packed: np.ndarray
    n: int

    def __post_init__(self):
        n = whole_number("n", self.n, 1)
        if not isinstance(self.packed, np.ndarray) or self.packed.dtype != np.uint8:
            raise TypeError(f"packed must be a NumPy array of uint8, got {self.packed!r}")
        if self.packed.shape != (-(-n // 8),):
            raise ValueError(
                f"packed must have shape ({-(-n // 8)},) for n={n}, got {self.packed.shape}"
            )
        if int(self.packed[-1]) & _padding(n):
            raise ValueError(f"packed must be zero after digit n={n}, got {self.packed[-1]:08b}")
        self.packed.flags.writeable = False
        object.__setattr__(self, "n", n)

    @classmethod
    def from_digits(cls, digits):
        """Pack a sequence of zeros and ones, or a string such as ``"0110"``."""
        values = np.array([*map(int, digits)] if isinstance(digits, str) else digits)
        if values.ndim != 1 or values.dtype.kind not in "biu" or not np.isin(values, (0, 1)).all():
            raise ValueError(f"digits must be a sequence of zeros and ones, got {digits!r}")
        return cls(np.packbits(values.astype(bool)), values.size)

    def unpack(self, start=0, stop=None):
        """Return the digits ``start, ..., stop - 1`` (from 0) as uint8, one per byte."""
        start, stop, _ = slice(start, stop).indices(self.n)
        stop = max(start, stop)
        digits = np.unpackbits(self.packed[start // 8 : -(-stop // 8)])
        return digits[start % 8 : start % 8 + stop - start]

    def __getitem__(self, index):
        if not isinstance(index, slice):
            k = range(self.n)[index]
            return int(self.packed[k // 8] >> (7 - k % 8)) & 1
        start, stop, step = index.indices(self.n)
        if step != 1 or stop <= start:
            raise ValueError(f"a slice of Bits must be non-empty with step 1, got {index}")
        return Bits(np.packbits(self.unpack(start, stop)), stop - start)

    def __len__(self):
        return self.n

    def __eq__(self, other):
        if not isinstance(other, Bits):
            return NotImplemented
        return self.n == other.n and np.array_equal(self.packed, other.packed)

    def __invert__(self):
        return cut_to_bits(~self.packed, self.n)

    def __reduce__(self):
        return Bits, (self.packed, self.n)

    def __repr__(self):
        shown = "".join(map(str, self.unpack(0, 32)))
        return f"Bits({shown}{'...' if self.n > 32 else ''}, n={self.n})"


def _padding(n):
    """Return the mask of the bits of the last byte that lie after digit n."""
    return 0xFF >> (n % 8) if n % 8 else 0


def cut_to_bits(packed, n):
    """Cut bytes to n digits, clear the bits after them, and wrap what is left."""
    packed = packed[: -(-n // 8)]
    if packed[-1] & _padding(n):
        packed = packed.copy()
        packed[-1] &= 0xFF ^ _padding(n)
    return Bits(packed, n)


def random_bits(n, random_state=None):
    """Return n fair, independent binary digits.

    Parameters
    ----------
    n : int
        The number of digits, at least 1.
    random_state : None, int, SeedSequence, BitGenerator or Generator
        As for `numpy.random.default_rng`.

    Returns
    -------
    Bits

    Raises
    ------
    TypeError, ValueError
        If an argument is not as described.
    MemoryError
        If n digits need more memory than is available.
    """
    n = whole_number("n", n, 1)
    generator = random_generator(random_state)
    require_memory(f"{n:,} random digits", n // 8 + (1 << 20))
    return cut_to_bits(generator.integers(0, 256, -(-n // 8), dtype=np.uint8), n)


def require_bits(name, bits):
    """Return Bits, or raise what says that something else was given."""
    if not isinstance(bits, Bits):
        raise TypeError(f"{name} must be Bits, got {type(bits).__name__}")
    return bits
