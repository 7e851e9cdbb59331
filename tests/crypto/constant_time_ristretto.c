/* The paths of secrets of the curve's kernel: see constant_time.h. Elements and what is mapped are
 * secret, too: they are made of the parties' values. */
#include "curve.h"

#define ROWS (2 * COMPUTED_ROWS + 1)

typedef struct {
    uint8_t scalars[ROWS * ROW], points[ROWS * ROW], uniform[ROWS * UNIFORM_ROW];
} secrets;

#define SECRETS 2 /* a million instructions are traced */
#include "constant_time.h"

static uint8_t out[ROWS * ROW];

static void prepare(void) {}

static secrets *make_secrets(uint8_t seed) {
    secrets *s = calloc(1, sizeof *s);
    for (size_t i = 0; i < sizeof s->uniform; i++)
        s->uniform[i] = (uint8_t)(i * i * seed + (i >> 5) * 37);
    for (size_t i = 0; i < sizeof s->scalars; i++)
        s->scalars[i] = (uint8_t)((i + seed) * (i + 7) * seed) & (i % ROW == ROW - 1 ? 15 : 255);
    unsigned state = kernel_begin();
    rows_map(s->points, s->uniform, ROWS);
    kernel_end(state);
    return s;
}

static void hide(secrets *s) { VALGRIND_MAKE_MEM_UNDEFINED(s, sizeof *s); }

static void multiply(const secrets *s, size_t rows) {
    size_t bad;
    if (leaks && s->scalars[0] & 8)
        puts("a branch on a secret");
    curve_wiped(rows_multiply_points(out, s->points, (scalar_rows){s->scalars, ROW}, rows, &bad));
}

static void short_work(const secrets *s) {
    multiply(s, 1);
    rows_map(out, s->uniform, 1);
    curve_wiped(0);
}

static void work(const secrets *s) {
    multiply(s, ROWS);
    curve_wiped(rows_map_multiply(out, s->uniform, (scalar_rows){s->scalars, 0}, ROWS));
    rows_map(out, s->uniform, ROWS);
    rows_bad(s->points, ROWS);
    scalars_are_below(s->scalars, ROWS);
    scalars_reduce(out, s->uniform, ROWS);
    curve_wiped(0);
}

static void all_work(const secrets *s) { work(s); }
