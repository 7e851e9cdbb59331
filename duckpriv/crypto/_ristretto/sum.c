/* Sums of scalar * point, for public values, by buckets (Pippenger 1976; Bernstein, Doumen, Lange,
 * Oosterwijk 2012, "Faster batch forgery identification", section 4). Each lane has a window of 8 bits: it adds
 * every point to the bucket of its digit, from -128 to 127. */
#include "ristretto.h"

#include <stdlib.h>
#include <string.h>

#define WINDOWS 32
#define HIGHEST 128 /* bucket 0 is of no use */
#define SUMMAND_LIMBS (4 * LIMBS)
#define PIECE ((SUMMAND_LIMBS + LANES - 1) / LANES * LANES) /* words of a summand in one piece */
#define POINT_PIECE 16 /* minus, plus, dt2 of a point with z = 1 */

/* As many vecs as a piece has words. */
typedef union {
    summand p;
    vec limbs[PIECE];
} padded;

static void load_pieces(padded *out, uint64_t *const piece[LANES]) {
    for (int i = 0; i < PIECE; i += LANES) {
        vec in[LANES];
        for (int lane = 0; lane < LANES; lane++)
            in[lane] = vec_load(piece[lane] + i);
        transpose(out->limbs + i, in);
    }
}

static void store_pieces(uint64_t *const piece[LANES], const padded *p) {
    for (int i = 0; i < PIECE; i += LANES) {
        vec rows[LANES];
        transpose(rows, p->limbs + i);
        for (int lane = 0; lane < LANES; lane++)
            vec_store(piece[lane] + i, rows[lane]);
    }
}

static void bucket_of_each(uint64_t *piece[LANES], uint64_t *buckets, const uint64_t size[LANES]) {
    for (size_t lane = 0; lane < LANES; lane++)
        piece[lane] = buckets + (lane * (HIGHEST + 1) + size[lane]) * PIECE;
}

/* One point in all lanes; its z is 1. */
static addend point_in_all(const limb_factor *piece) {
    addend out;
    for (int i = 0; i < LIMBS; i++) {
        out.minus.v[i] = factor_all(piece + i);
        out.plus.v[i] = factor_all(piece + LIMBS + i);
        out.dt2.v[i] = factor_all(piece + 2 * LIMBS + i);
    }
    return out;
}

static summand lane_in_all(const summand *p, size_t lane) {
    summand out;
    for (int i = 0; i < SUMMAND_LIMBS; i++) {
        limb_factor lanes[LANES];
        memcpy(lanes, (const factor *)p + i, sizeof lanes);
        ((factor *)&out)[i] = factor_all(lanes + lane);
    }
    return out;
}

static void add_to(summand *p, const summand *q) {
    addend other = addend_of(q);
    completed sum = sum_of(p, &other, vec_zero());
    *p = summand_of(&sum);
}

/* The sum of points for the windows from `first` on, one in each lane. */
static summand window_sums(const limb_factor *points, const uint8_t *digits, size_t count,
                           size_t first, uint64_t *buckets) {
    uint64_t size[LANES] = {0}, *piece[LANES];
    padded bucket = {.limbs = {vec_zero()}};
    summand running = no_point(), total = running;
    bucket.p = running;
    for (uint64_t i = 0; i <= HIGHEST; i++) {
        for (int lane = 0; lane < LANES; lane++)
            size[lane] = i;
        bucket_of_each(piece, buckets, size);
        store_pieces(piece, &bucket);
    }
    for (size_t i = 0; i < count; i++) {
        uint64_t minus[LANES];
        for (size_t lane = 0; lane < LANES; lane++) {
            int digit = digits[i * WINDOWS + first + lane] - HIGHEST;
            size[lane] = (uint64_t)abs(digit);
            minus[lane] = digit < 0 ? ~UINT64_C(0) : 0;
        }
        bucket_of_each(piece, buckets, size);
        load_pieces(&bucket, piece);
        addend point = point_in_all(points + i * POINT_PIECE);
        wide z = wide_of(&bucket.p.z);
        completed sum = sum_with(&bucket.p, &point, vec_load(minus), wide_add(z, z));
        bucket.p = summand_of(&sum);
        store_pieces(piece, &bucket);
    }
    for (uint64_t i = HIGHEST; i > 0; i--) {
        for (int lane = 0; lane < LANES; lane++)
            size[lane] = i;
        bucket_of_each(piece, buckets, size);
        load_pieces(&bucket, piece);
        add_to(&running, &bucket.p);
        add_to(&total, &running);
    }
    return total;
}

/* A group of points to pieces. */
static void store_points(limb_factor *points, const summand *p, size_t count) {
    const addend a = addend_of(p);
    const fe parts[3] = {a.minus, a.plus, a.dt2};
    for (int i = 0; i < 3 * LIMBS; i++) {
        limb_factor lanes[LANES];
        memcpy(lanes, &parts[i / LIMBS].v[i % LIMBS], sizeof lanes);
        for (size_t lane = 0; lane < count; lane++)
            points[lane * POINT_PIECE + (size_t)i] = lanes[lane];
    }
}

static size_t load_points(limb_factor *points, const uint8_t *rows, size_t count) {
    size_t bad = 0;
    for (size_t i = 0; i < count; i += COMPUTED_ROWS) {
        const size_t part = at_most(count - i, COMPUTED_ROWS);
        summand p[SIDE];
        vec good[SIDE];
        decode(p, good, rows + i * ROW, part);
        bad += count_bad(good, part);
        for (size_t done = 0; done < part; done += LANES)
            store_points(points + (i + done) * POINT_PIECE, &p[done / LANES],
                         at_most(part - done, LANES));
    }
    return bad;
}

static summand sum_of_windows(const limb_factor *points, const uint8_t *digits, size_t count,
                              uint64_t *buckets) {
    summand sum = no_point();
    for (size_t window = WINDOWS; window > 0; window -= LANES) {
        summand sums = window_sums(points, digits, count, window - LANES, buckets);
        for (size_t lane = LANES; lane-- > 0;) {
            point power = point_of_summand(&sum);
            completed twice = doubled(&power);
            for (int i = 1; i < 8; i++) {
                power = point_of(&twice);
                twice = doubled(&power);
            }
            summand own = lane_in_all(&sums, lane);
            sum = summand_of(&twice);
            add_to(&sum, &own);
        }
    }
    return sum;
}

int rows_weighted_sum(uint8_t *out, const uint8_t *points, const uint8_t *scalars, size_t count,
                      size_t *bad) {
    vec *pieces = aligned_vecs((count * POINT_PIECE + LANES - 1) / LANES);
    vec *buckets = aligned_vecs((HIGHEST + 1) * PIECE);
    uint8_t *digits = malloc(count * ROW + 1);
    const int failed = pieces && buckets && digits ? 0 : NO_MEMORY;
    if (!failed) {
        *bad = load_points((limb_factor *)pieces, points, count);
        for (size_t i = 0; i < count; i++)
            scalar_raised(digits + i * ROW, scalars + i * ROW);
        summand sum[SIDE];
        sum[0] = sum_of_windows((limb_factor *)pieces, digits, count, (uint64_t *)buckets);
        sum[1] = sum[0];
        encode(out, sum, 1);
    }
    free_vecs(pieces);
    free_vecs(buckets);
    free(digits);
    return failed;
}

LANES_END
