/* x^d mod p * q through the Chinese remainder theorem (RFC 8017, 5.1.2, 2b), constant-time. */
#include "montgomery.h"

#include <stdlib.h>
#include <string.h>

/* out = x^d mod p below p, of x in 2 * limbs limbs: x = high * R + low. */
static void power_mod_prime(const modulus *m, vec *out, const vec *x, const uint8_t *digits,
                            size_t windows, vec *scratch) {
    const uint8_t *same[LANES];
    vec high[m->stride], low[m->stride];
    for (int lane = 0; lane < LANES; lane++)
        same[lane] = digits;
    /* enter() takes any number below R; high * R in Montgomery form is high * R^2. */
    mont_enter(m, low, x);
    mont_enter(m, high, x + m->limbs);
    mont_enter(m, high, high);
    for (size_t i = 0; i < m->limbs; i++)
        low[i] += high[i];
    /* The sum is below 4 p; its limbs of 53 bits go back to 52. */
    for (size_t i = 0; i + 1 < m->limbs; i++) {
        low[i + 1] += low[i] >> LIMB_BITS;
        low[i] &= LIMB_MASK;
    }
    power_lanes(m, low, same, windows, scratch);
    mont_leave(m, out, low);
}

int rows_rsa(const rsa_key *key, uint8_t *out, const uint8_t *x, size_t count) {
    const modulus *p = &key->p;
    const size_t limbs = p->limbs;
    vec *scratch = aligned_vecs(power_scratch(p));
    vec row[2 * p->stride], mod_p[p->stride], mod_q[p->stride], h[p->stride], other[p->stride];
    if (!scratch)
        return NO_MEMORY;
    for (size_t i = 0; i < count; i += LANES) {
        size_t lanes = count - i < LANES ? count - i : LANES;
        load_rows(row, 2 * limbs, x + i * key->width, key->width, lanes);
        power_mod_prime(p, mod_p, row, key->p_digits, key->windows, scratch);
        power_mod_prime(&key->q, mod_q, row, key->q_digits, key->windows, scratch);
        /* h = (mod_p - mod_q + 2p) / q mod p; q < 2p, so the sum is positive and below 4p. */
        vec over = vec_zero();
        for (size_t j = 0; j < limbs; j++) {
            vec d = mod_p[j] + 2 * p->n[j] - mod_q[j] + over;
            h[j] = d & LIMB_MASK;
            over = vec_carry(d);
        }
        set_all(other, key->q_inverse, limbs);
        mont_multiply(p, h, h, other);
        reduce_once(p, h);
        set_all(other, key->q.n, limbs);
        plain_multiply_add(row, h, other, mod_q, limbs);
        store_rows(out + i * key->width, key->width, row, 2 * limbs, lanes);
    }
    wipe(scratch, power_scratch(p) * sizeof(vec));
    free_vecs(scratch);
    return 0;
}

LANES_END
