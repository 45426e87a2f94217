"""FF1, format-preserving encryption by NIST SP 800-38G (algorithm 7), over AES from the cryptography package."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers import CipherContext

__all__ = ["FF1", "LEAST_DOMAIN"]

LEAST_DOMAIN = 1_000_000
"""The smallest domain for which SP 800-38G (revision 1) holds FF1 to be sound."""

_ROUNDS = 10
_BLOCK = 16


class FF1:
    """FF1 under one AES key (16, 24 or 32 bytes); any thread may use it.

    >>> ff1 = FF1(bytes.fromhex("2B7E151628AED2A6ABF7158809CF4F3C"))
    >>> ff1.encrypt([0, 1, 2, 3, 4, 5, 6, 7, 8, 9], 10, b"")
    [2, 4, 3, 3, 4, 7, 7, 4, 8, 4]
    """

    def __init__(self, key: bytes) -> None:
        from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

        self._cipher = Cipher(algorithms.AES(key), modes.ECB())  # noqa: S305 - single blocks of a CBC-MAC

    def encrypt(self, numerals: Sequence[int], radix: int, tweak: bytes) -> list[int]:
        """Numerals from 0 to radix-1, as many as were given: two or more, of a radix from 2 to 65536."""
        length = len(numerals)
        left, right = length // 2, length - length // 2
        width = ((radix**right - 1).bit_length() + 7) // 8
        digits = 4 * -(-width // 4) + 4
        aes = self._cipher.encryptor()
        first = aes.update(
            bytes([1, 2, 1])
            + radix.to_bytes(3, "big")
            + bytes([_ROUNDS, left % 256])
            + length.to_bytes(4, "big")
            + len(tweak).to_bytes(4, "big")
        )
        padded = tweak + bytes((-len(tweak) - width - 1) % _BLOCK)
        a, b = _number(numerals[:left], radix), _number(numerals[left:], radix)
        sizes = radix**left, radix**right
        for i in range(_ROUNDS):
            mac = _mac(aes, first, padded + bytes([i]) + b.to_bytes(width, "big"))
            stream = mac
            for j in range(1, -(-digits // _BLOCK)):
                stream += aes.update((int.from_bytes(mac, "big") ^ j).to_bytes(_BLOCK, "big"))
            a, b = b, (a + int.from_bytes(stream[:digits], "big")) % sizes[i & 1]
        return [*_numerals(a, radix, left), *_numerals(b, radix, right)]


def _mac(aes: CipherContext, state: bytes, data: bytes) -> bytes:
    """CBC-MAC, begun with the first block's result."""
    for at in range(0, len(data), _BLOCK):
        block = int.from_bytes(state, "big") ^ int.from_bytes(data[at : at + _BLOCK], "big")
        state = aes.update(block.to_bytes(_BLOCK, "big"))
    return state


def _number(numerals: Sequence[int], radix: int) -> int:
    made = 0
    for numeral in numerals:
        made = made * radix + numeral
    return made


def _numerals(number: int, radix: int, length: int) -> list[int]:
    made = [0] * length
    for at in range(length - 1, -1, -1):
        number, made[at] = divmod(number, radix)
    return made
