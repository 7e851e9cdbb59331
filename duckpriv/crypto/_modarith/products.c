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

/* R^(count + 1), so that multiplying by it takes `count` divisions by R back. */
static void r_power(const modulus *m, vec *out, size_t count) {
    vec r2[m->stride];
    set_all(r2, m->r2, m->limbs);
    mont_one(m, out);
    for (size_t bit = (size_t)1 << (8 * sizeof count - 1); bit; bit >>= 1) {
        if (count >= bit)
            mont_square(m, out, out);
        if (count & bit)
            mont_multiply(m, out, out, r2);
    }
}

/* out[i] = the product of the rows chosen[bounds[2 i]], …, chosen[bounds[2 i + 1] - 1], one at least.
 * Each lane has its own product. Nothing is brought into Montgomery form: every multiplication divides
 * by R, also in lanes whose rows have ended, and one at the end takes that back. So products that
 * stand together should be of about as many rows. */
int rows_products(const modulus *m, uint8_t *out, const row_blocks *from, const int64_t *chosen,
                  const int64_t *bounds, size_t count) {
    vec product[m->stride], row[m->stride], back[m->stride];
    vec below = vec_all(~UINT64_C(0));
    size_t divisions = SIZE_MAX;
    for (size_t i = 0; i < count; i += LANES) {
        const size_t lanes = in_group(count, i);
        const int64_t *own[LANES];
        size_t rows[LANES], longest = 0;
        for (size_t lane = 0; lane < LANES; lane++) {
            const int64_t *ends = bounds + 2 * (i + lane);
            own[lane] = lane < lanes ? chosen + ends[0] : NULL;
            rows[lane] = lane < lanes ? (size_t)(ends[1] - ends[0]) : 0;
            longest = rows[lane] > longest ? rows[lane] : longest;
        }
        const uint8_t *next[LANES], *now[LANES];
        for (size_t r = 0; r <= longest; r++) {
            for (size_t lane = 0; lane < LANES; lane++) {
                now[lane] = r ? next[lane] : NULL;
                next[lane] = NULL;
                if (r < rows[lane]) {
                    size_t at = (size_t)own[lane][r];
                    next[lane] = from->blocks[at / from->rows] + at % from->rows * from->stride +
                                 from->offset;
                    for (size_t byte = 0; byte < m->width; byte += 64)
                        PREFETCH(next[lane] + byte);
                }
            }
            if (r == 0)
                continue;
            load_each_below(m, r == 1 ? product : row, now, &below);
            if (r > 1)
                mont_multiply(m, product, product, row);
        }
        if (longest - 1 != divisions) {
            divisions = longest - 1;
            r_power(m, back, divisions);
        }
        mont_multiply(m, product, product, back);
        reduce_once(m, product);
        store_rows(out + i * m->width, m->width, product, m->limbs, lanes);
    }
    return all_below(below);
}

LANES_END
