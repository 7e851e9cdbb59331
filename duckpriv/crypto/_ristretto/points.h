/* Points of the curve -x^2 + y^2 = 1 + d x^2 y^2 in lanes (Hisil, Wong, Carter, Dawson 2008,
 * "Twisted Edwards curves revisited"). Their formulas are complete here: they hold for all points,
 * and without branches. */
#ifndef RISTRETTO_POINTS_H
#define RISTRETTO_POINTS_H

#include "field.h"

/* x/z, y/z */
typedef struct {
    fe x, y, z;
} point;

/* A point that something is added to: y - x, y + x, z, and t = xy/z. */
typedef struct {
    fe minus, plus, z, t;
} summand;

/* A point that is added: y - x, y + x, 2z, 2dt. */
typedef struct {
    fe minus, plus, z2, dt2;
} addend;

/* What formulas give: x/z = e/g and y/z = h/f, before the last products. */
typedef struct {
    fe e, f, g, h;
} completed;

INLINE point point_of(const completed *c) {
    return (point){fe_product(&c->e, &c->f), fe_product(&c->g, &c->h), fe_product(&c->f, &c->g)};
}

INLINE summand summand_of(const completed *c) {
    wide x = product(&c->e, &c->f), y = product(&c->g, &c->h);
    return (summand){carried(wide_subtract(y, x)), carried(wide_add(y, x)),
                     fe_product(&c->f, &c->g), fe_product(&c->e, &c->h)};
}

/* Section 3.3, with all signs of F and H changed. */
INLINE completed doubled(const point *p) {
    wide a = square(&p->x), b = square(&p->y), c = square(&p->z), e = product(&p->x, &p->y);
    wide g = wide_subtract(b, a);
    return (completed){
        .e = carried(wide_add(e, e)),
        .f = carried(wide_subtract(wide_add(wide_add(c, c), a), b)),
        .g = carried(g),
        .h = carried(wide_add(a, b)),
    };
}

/* p + q, or p - q in lanes where `minus` is all ones: -q has y - x and y + x exchanged, and the
 * other sign of t (section 3.1). d is twice the product of both z. */
INLINE completed sum_with(const summand *p, const addend *q, vec minus, wide d) {
    fe q_minus = fe_select(minus, &q->plus, &q->minus), q_plus = fe_select(minus, &q->minus, &q->plus);
    wide a = product(&p->minus, &q_minus), b = product(&p->plus, &q_plus);
    wide c = product(&p->t, &q->dt2), minus_c;
    EACH_LIMB(i) {
        c.v[i] = (c.v[i] ^ minus) - minus;
        minus_c.v[i] = (prime_limb(i) << 9) - c.v[i];
        c.v[i] += prime_limb(i) << 9;
    }
    return (completed){
        .e = carried(wide_subtract(b, a)),
        .f = carried(wide_add(d, minus_c)),
        .g = carried(wide_add(d, c)),
        .h = carried(wide_add(b, a)),
    };
}

INLINE completed sum_of(const summand *p, const addend *q, vec minus) {
    return sum_with(p, q, minus, product(&p->z, &q->z2));
}

/* points.c */
addend addend_of(const summand *p);
point point_of_summand(const summand *p);
summand no_point(void); /* the identity */

#endif
