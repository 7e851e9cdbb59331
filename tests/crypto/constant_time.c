/* Runs the kernel's secret-exponent paths with the secrets marked undefined, so that valgrind
 * reports each branch and each address that depends on them (Langley's ctgrind). With an
 * argument it also branches on a secret, to show that the check can fail. */
#include "kernel.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <valgrind/memcheck.h>

#define WIDTH 66 /* bytes: 528 bits, 15 limbs */
#define WINDOWS 24

static modulus prepared(uint8_t first) {
    uint8_t n[WIDTH], r[WIDTH] = {0}, r2[WIDTH] = {0};
    for (int i = 0; i < WIDTH; i++)
        n[i] = (uint8_t)(first + 37 * i);
    n[WIDTH - 1] |= 1;
    r[WIDTH - 1] = 3; /* not R, but time does not depend on it */
    r2[WIDTH - 1] = 5;
    modulus m;
    if (modulus_set(&m, n, r, r2, WIDTH, 15))
        abort();
    return m;
}

int main(int count, char **arguments) {
    (void)arguments;
    modulus m = prepared(200);
    uint8_t digits[WINDOWS], x[9 * WIDTH], out[9 * WIDTH];
    for (int i = 0; i < WINDOWS; i++)
        digits[i] = (uint8_t)(i * 7 % 16);
    for (size_t i = 0; i < sizeof x; i++)
        x[i] = (uint8_t)(i * 11);
    for (size_t row = 0; row < 9; row++)
        x[row * WIDTH] = 1;

    /* A secret exponent and secret bases. */
    VALGRIND_MAKE_MEM_UNDEFINED(digits, sizeof digits);
    VALGRIND_MAKE_MEM_UNDEFINED(x, sizeof x);
    rows_are_below(m.n_bytes, WIDTH, x, 9);
    rows_power(&m, out, x, 9, digits, WINDOWS, 0);
    if (count > 1 && digits[3] == 5)
        puts("a branch on a secret");

    /* RSA: everything about the primes is secret. */
    static uint8_t message[9 * 2 * WIDTH], result[9 * 2 * WIDTH];
    static rsa_key key;
    uint8_t other[WINDOWS];
    memset(message, 1, sizeof message);
    memcpy(other, digits, sizeof other);
    key.p = m;
    key.q = prepared(210);
    key.p_digits = digits;
    key.q_digits = other;
    key.windows = WINDOWS;
    key.width = 2 * WIDTH;
    VALGRIND_MAKE_MEM_UNDEFINED(key.p.n, sizeof key.p.n);
    VALGRIND_MAKE_MEM_UNDEFINED(key.q.n, sizeof key.q.n);
    VALGRIND_MAKE_MEM_UNDEFINED(&key.p.n_inverse, sizeof key.p.n_inverse);
    VALGRIND_MAKE_MEM_UNDEFINED(&key.q.n_inverse, sizeof key.q.n_inverse);
    VALGRIND_MAKE_MEM_UNDEFINED(key.p.r, sizeof key.p.r);
    VALGRIND_MAKE_MEM_UNDEFINED(key.q.r, sizeof key.q.r);
    VALGRIND_MAKE_MEM_UNDEFINED(key.p.r2, sizeof key.p.r2);
    VALGRIND_MAKE_MEM_UNDEFINED(key.q.r2, sizeof key.q.r2);
    VALGRIND_MAKE_MEM_UNDEFINED(key.q_inverse, sizeof key.q_inverse);
    rows_rsa(&key, result, message, 9);
    return 0;
}
