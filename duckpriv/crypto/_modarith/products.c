/* Products of rows, and the two halves of Montgomery's trick for inverses. */
#include "montgomery.h"

static size_t in_group(size_t count, size_t start) {
    return count - start < LANES ? count - start : LANES;
}

int rows_multiply(const modulus *m, uint8_t *out, const uint8_t *a, const uint8_t *b,
                  size_t count) {
    vec x[m->stride], y[m->stride];
    vec below = vec_all(~UINT64_C(0));
    for (size_t i = 0; i < count; i += LANES) {
        size_t lanes = in_group(count, i);
        load_below(m, x, a + i * m->width, lanes, &below);
        load_below(m, y, b + i * m->width, lanes, &below);
        mont_enter(m, x, x);
        mont_multiply(m, x, x, y);
        reduce_once(m, x);
        store_rows(out + i * m->width, m->width, x, m->limbs, lanes);
    }
    return all_below(below);
}

/* out[i] = x[i] * x[i - 8] * x[i - 16] * … : each lane multiplies its own rows. */
int rows_prefix(const modulus *m, uint8_t *out, const uint8_t *x, size_t count) {
    vec product[m->stride], row[m->stride];
    vec below = vec_all(~UINT64_C(0));
    for (size_t i = 0; i < count; i += LANES) {
        size_t lanes = in_group(count, i);
        load_below(m, row, x + i * m->width, lanes, &below);
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
    return all_below(below);
}

/* out[i] = 1 / x[i], from rows_prefix's result and the inverses of its last eight rows, one a lane
 * (Cohen, A Course in Computational Algebraic Number Theory, algorithm 10.3.4). */
int rows_unwind(const modulus *m, uint8_t *out, const uint8_t *x, const uint8_t *prefixes,
                const uint8_t *inverses, size_t count) {
    vec running[m->stride], row[m->stride], before[m->stride];
    vec below = vec_all(~UINT64_C(0));
    load_below(m, running, inverses, in_group(count, 0), &below);
    mont_enter(m, running, running);
    for (size_t i = (count - 1) / LANES * LANES;; i -= LANES) {
        size_t lanes = in_group(count, i);
        load_below(m, row, x + i * m->width, lanes, &below);
        if (i == 0) {
            mont_leave(m, before, running);
        } else {
            load_below(m, before, prefixes + (i - LANES) * m->width, lanes, &below);
            mont_multiply(m, before, before, running);
            reduce_once(m, before);
        }
        store_rows(out + i * m->width, m->width, before, m->limbs, lanes);
        if (i == 0)
            return all_below(below);
        mont_enter(m, row, row);
        mont_multiply(m, running, running, row); /* by 1 in lanes that have no row here */
    }
}

LANES_END
