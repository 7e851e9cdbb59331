"""Moduli N = p * q: what is checked about one, and one whose factors nobody has published."""

from __future__ import annotations

from collections.abc import Iterable

import gmpy2

SMALLEST_BITS = 2048
LARGEST_BITS = 8192
# A value has an N-th root with probability below 1 / 2^16 unless N is prime to phi(N), as N has
# no prime factor below this (Goldberg et al. 2019, section 3.2).
SMALLEST_FACTOR = 1 << 16
_SMALL_PRIMES = gmpy2.primorial(SMALLEST_FACTOR)

# RSA-2048 of the RSA Factoring Challenge (RSA Laboratories, 2001): 617 digits. The factors were
# destroyed when it was made, and have not been found.
RSA_2048 = int(
    "2519590847565789349402718324004839857142928212620403202777713783604366202070"
    "7595556264018525880784406918290641249515082189298559149176184502808489120072"
    "8449926873928072877767359714183472702618963750149718246911650776133798590957"
    "0009733045974880842840179742910064245869181719511874612151517265463228221686"
    "9987549182422433637259085141865462043576798423387184774447920739934236584823"
    "8242811981638150106748104516603773060562016196762561338441436038339044149526"
    "3443219011465754445417842402092461651572335077870774981712577246796292638635"
    "6373289912154831438167899885040445364023527381951378636564391212010397122822"
    "120720357"
)


def check_modulus(modulus: int) -> str | None:
    """Say what is wrong with a modulus that a peer sent, or None if nothing is."""
    bits = modulus.bit_length()
    if not SMALLEST_BITS <= bits <= LARGEST_BITS or bits % 8:
        return (
            f"the modulus has {bits} bits; expected a multiple of 8 from "
            f"{SMALLEST_BITS} to {LARGEST_BITS}"
        )
    if gmpy2.gcd(modulus, _SMALL_PRIMES) != 1:
        return "the modulus is even or has a small prime factor"
    if gmpy2.is_prime(modulus) or gmpy2.is_power(modulus):
        return "the modulus is a prime or a perfect power"
    return None


def not_units(values: Iterable[gmpy2.mpz], below: int, modulus: int) -> int:
    """Count the values that are 0, not less than `below`, or not prime to `modulus`."""
    numbers = list(values)
    inside = [x for x in numbers if 0 < x < below]
    product, n = gmpy2.mpz(1), gmpy2.mpz(modulus)
    for x in inside:
        product = product * (x % n) % n
    shared = 0
    if gmpy2.gcd(product, n) != 1:
        shared = sum(gmpy2.gcd(x, n) != 1 for x in inside)
    return len(numbers) - len(inside) + shared
