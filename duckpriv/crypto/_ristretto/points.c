/* Between the forms of points. */
#include "points.h"

addend addend_of(const summand *p) {
    const fe d2 = fe_of_limbs(EDWARDS_2D);
    return (addend){p->minus, p->plus, fe_add(&p->z, &p->z), fe_product(&p->t, &d2)};
}

point point_of_summand(const summand *p) {
    return (point){fe_subtract(&p->plus, &p->minus), fe_add(&p->plus, &p->minus),
                   fe_add(&p->z, &p->z)};
}

summand no_point(void) { return (summand){fe_small(1), fe_small(1), fe_small(1), fe_small(0)}; }

LANES_END
