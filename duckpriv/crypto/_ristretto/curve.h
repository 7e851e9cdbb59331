/* What the curve's kernel offers to module.c, which has to run on every processor: nothing here
 * needs more than plain x86-64. Rows of points, scalars and results are 32 bytes, little-endian
 * (RFC 9496); scalars are below the group's order. */
#ifndef RISTRETTO_CURVE_H
#define RISTRETTO_CURVE_H

#include "../_modarith/kernel.h"

#define ROW 32
#define UNIFORM_ROW 64
enum { SIDE = 2, COMPUTED_ROWS = SIDE * LANES }; /* groups of lanes, and rows, side by side */

/* rows.c. Functions return 0 or NO_MEMORY; `bad` is how many rows encode no point or the identity:
 * results are then not to be used. */
typedef struct {
    const uint8_t *rows;
    size_t step; /* 0: one row for all */
} scalar_rows;
int rows_multiply_points(uint8_t *out, const uint8_t *points, scalar_rows scalars, size_t count,
                         size_t *bad);
int rows_map_multiply(uint8_t *out, const uint8_t *uniform, scalar_rows scalars, size_t count);
void rows_map(uint8_t *out, const uint8_t *uniform, size_t count);
size_t rows_bad(const uint8_t *points, size_t count);
/* Returns `result`, and overwrites what the calls that made it have left on the stack. */
int curve_wiped(int result);
/* For tests: of numbers a and b, five limbs below 2^52 each, the limbs of a * b, a^2 and a - b, and
 * the canonical bytes of a * b. */
#define FIELD_ROW (5 * sizeof(uint64_t))
#define FIELD_RESULTS (3 * FIELD_ROW + ROW)
void rows_field(uint64_t *out, const uint64_t *a, const uint64_t *b, size_t count);

/* sum.c: the sum of scalar * point, for public values: time and addresses depend on them. */
int rows_weighted_sum(uint8_t *out, const uint8_t *points, const uint8_t *scalars, size_t count,
                      size_t *bad);

/* scalars.c, constant-time */
int scalars_are_below(const uint8_t *rows, size_t count);
void scalars_reduce(uint8_t *out, const uint8_t *wide_rows, size_t count);
/* (scalar / 2 modulo the order) + 0x88…8: see scalar_multiply in rows.c. */
void scalar_halved(uint64_t words[4], const uint8_t *row);
/* scalar + 0x80…80: see sum.c. */
void scalar_raised(uint8_t *out, const uint8_t *row);

#endif
