/* Products of rows, and the two halves of Montgomery's trick for inverses. */
#include "montgomery.h"

static size_t in_group(size_t count, size_t start) {
    return count - start < LANES ? count - start : LANES;
}

int rows_multiply(const modulus *m, uint8_t *out, const uint8_t *a, const uint8_t *b,
                  size_t count) {
    vec x[LARGEST_LIMBS], y[LARGEST_LIMBS];
    for (size_t i = 0; i < count; i += LANES) {
        size_t lanes = in_group(count, i);
        load_rows(x, m->limbs, a + i * m->width, m->width, lanes);
        load_rows(y, m->limbs, b + i * m->width, m->width, lanes);
        mont_enter(m, x, x);
        mont_multiply(m, x, x, y);
        reduce_once(m, x);
        store_rows(out + i * m->width, m->width, x, m->limbs, lanes);
    }
    return 0;
}

/* out[i] = x[i] * x[i - 8] * x[i - 16] * … : each lane multiplies its own rows. */
int rows_prefix(const modulus *m, uint8_t *out, const uint8_t *x, size_t count) {
    vec product[LARGEST_LIMBS], row[LARGEST_LIMBS];
    for (size_t i = 0; i < count; i += LANES) {
        size_t lanes = in_group(count, i);
        load_rows(row, m->limbs, x + i * m->width, m->width, lanes);
        if (i == 0) {
            for (size_t limb = 0; limb < m->limbs; limb++)
                product[limb] = row[limb];
        } else {
            mont_enter(m, row, row);
            mont_multiply(m, product, product, row);
            reduce_once(m, product);
        }
        store_rows(out + i * m->width, m->width, product, m->limbs, lanes);
    }
    return 0;
}

/* out[i] = 1 / x[i], from rows_prefix's result and the inverses of its last eight rows, one a lane
 * (Cohen, A Course in Computational Algebraic Number Theory, algorithm 10.3.4). */
int rows_unwind(const modulus *m, uint8_t *out, const uint8_t *x, const uint8_t *prefixes,
                const uint8_t *inverses, size_t count) {
    vec running[LARGEST_LIMBS], row[LARGEST_LIMBS], before[LARGEST_LIMBS];
    load_rows(running, m->limbs, inverses, m->width, in_group(count, 0));
    mont_enter(m, running, running);
    for (size_t i = (count - 1) / LANES * LANES;; i -= LANES) {
        size_t lanes = in_group(count, i);
        if (i == 0) {
            mont_leave(m, before, running);
        } else {
            load_rows(before, m->limbs, prefixes + (i - LANES) * m->width, m->width, lanes);
            mont_multiply(m, before, before, running);
            reduce_once(m, before);
        }
        store_rows(out + i * m->width, m->width, before, m->limbs, lanes);
        if (i == 0)
            return 0;
        load_rows(row, m->limbs, x + i * m->width, m->width, lanes);
        mont_enter(m, row, row);
        mont_multiply(m, running, running, row); /* by 1 in lanes that have no row here */
    }
}
