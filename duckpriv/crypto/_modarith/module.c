/* The kernel as a Python module. This file runs on every processor; the others only where
 * available() is true. Rows come and go as buffers of bytes; lengths and ranges are
 * checked here, and the GIL is released while the kernel computes.
 *
 * It keeps to Python's limited API of 3.11, so that one wheel serves all later versions: types are
 * made from specs, and memory comes from malloc, as PyMem_RawMalloc is not in it before 3.13. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <stdlib.h>
#include <string.h>

#include "kernel.h"

#define TEXT_(x) #x
#define TEXT(x) TEXT_(x)
#define JOINED_(a, b) a##b
#define JOINED(a, b) JOINED_(a, b)
#define MODULE "duckpriv.crypto._modarith." TEXT(BACKEND_NAME)

typedef struct {
    PyObject_HEAD
    modulus *m;
} ModulusObject;

typedef struct {
    PyObject_HEAD
    PyObject *modulus; /* keeps table.m */
    power_table table;
} TableObject;

typedef struct {
    PyObject_HEAD
    rsa_key *key;
} RsaObject;

static PyTypeObject *ModulusType; /* for arguments that have to be of it */

static void release(Py_buffer *views, int count) {
    for (int i = 0; i < count; i++)
        PyBuffer_Release(&views[i]);
}

/* Take `count` arguments as buffers, the first one writable. */
static int take(PyObject *const *arguments, Py_buffer *views, int count) {
    for (int i = 0; i < count; i++)
        if (PyObject_GetBuffer(arguments[i], &views[i],
                               i == 0 ? PyBUF_WRITABLE | PyBUF_C_CONTIGUOUS : PyBUF_C_CONTIGUOUS)) {
            release(views, i);
            return -1;
        }
    return 0;
}

static PyObject *finish(Py_buffer *views, int count, const char *wrong, int failed) {
    release(views, count);
    if (failed == NOT_BELOW)
        wrong = "a value is not below the modulus";
    if (wrong) {
        PyErr_SetString(PyExc_ValueError, wrong);
        return NULL;
    }
    if (failed == NO_MEMORY)
        return PyErr_NoMemory();
    Py_RETURN_NONE;
}

static int enough(Py_ssize_t given, Py_ssize_t wanted) {
    if (given == wanted)
        return 0;
    PyErr_Format(PyExc_TypeError, "%zd arguments instead of %zd", given, wanted);
    return -1;
}

static int small_number(PyObject *object, size_t most, size_t *to) {
    size_t value = PyLong_AsSize_t(object);
    if (value == (size_t)-1 && PyErr_Occurred())
        return -1;
    if (value < 1 || value > most) {
        PyErr_SetString(PyExc_ValueError, "a number is out of range");
        return -1;
    }
    *to = value;
    return 0;
}

static const char *const LENGTHS = "buffers have the wrong lengths";

/* What is wrong with digits of an exponent. All are read, whatever they are. */
static const char *check_exponent(const Py_buffer *digits) {
    uint8_t high = 0;
    for (Py_ssize_t i = 0; i < digits->len; i++)
        high |= ((const uint8_t *)digits->buf)[i];
    return high >> WINDOW ? "a digit of an exponent is out of range" : NULL;
}

/* What is wrong with a buffer that has to hold `count` rows. */
static const char *check_rows(const modulus *m, const Py_buffer *view, size_t count) {
    return (size_t)view->len == count * m->width ? NULL : LENGTHS;
}

/* Modulus(n, r, r2, limbs) */
static PyObject *modulus_new(PyTypeObject *type, PyObject *arguments, PyObject *keywords) {
    (void)keywords;
    Py_buffer n, r, r2;
    Py_ssize_t limbs;
    if (!PyArg_ParseTuple(arguments, "y*y*y*n", &n, &r, &r2, &limbs))
        return NULL;
    ModulusObject *self = NULL;
    if (n.len != r.len || n.len != r2.len || limbs < 0) {
        PyErr_SetString(PyExc_ValueError, LENGTHS);
    } else if ((self = (ModulusObject *)PyType_GenericAlloc(type, 0))) {
        self->m = malloc(sizeof *self->m);
        if (!self->m)
            PyErr_NoMemory();
        else if (modulus_set(self->m, n.buf, r.buf, r2.buf, (size_t)n.len, (size_t)limbs))
            PyErr_SetString(PyExc_ValueError, "the modulus is even, or does not fit its limbs");
        if (PyErr_Occurred())
            Py_CLEAR(self);
    }
    PyBuffer_Release(&n);
    PyBuffer_Release(&r);
    PyBuffer_Release(&r2);
    return (PyObject *)self;
}

/* An object holds its type, which is no static one. */
static void free_object(PyObject *object) {
    PyTypeObject *type = Py_TYPE(object);
    PyObject_Free(object);
    Py_DECREF(type);
}

static void modulus_free(PyObject *object) {
    ModulusObject *self = (ModulusObject *)object;
    if (self->m)
        wipe(self->m, sizeof *self->m); /* it may be a prime of a private key */
    free(self->m);
    free_object(object);
}

#define METHOD(name) \
    static PyObject *name(PyObject *object, PyObject *const *arguments, Py_ssize_t given)
#define MODULUS (((ModulusObject *)object)->m)
/* The end of a method: unless something is wrong, call without the GIL. */
#define COMPUTE(count, call)                  \
    do {                                      \
        int failed = 0;                       \
        if (!wrong) {                         \
            Py_BEGIN_ALLOW_THREADS            \
            unsigned state = kernel_begin();  \
            failed = (call);                  \
            kernel_end(state);                \
            Py_END_ALLOW_THREADS              \
        }                                     \
        return finish(v, count, wrong, failed); \
    } while (0)

/* multiply(out, a, b) */
METHOD(modulus_multiply) {
    Py_buffer v[3];
    if (enough(given, 3) || take(arguments, v, 3))
        return NULL;
    const modulus *m = MODULUS;
    size_t count = (size_t)v[0].len / m->width;
    const char *wrong = (size_t)v[0].len == count * m->width ? NULL : LENGTHS;
    for (int i = 1; i < 3 && !wrong; i++)
        wrong = check_rows(m, &v[i], count);
    COMPUTE(3, rows_multiply(m, v[0].buf, v[1].buf, v[2].buf, count));
}

/* prefix(out, x) */
METHOD(modulus_prefix) {
    Py_buffer v[2];
    if (enough(given, 2) || take(arguments, v, 2))
        return NULL;
    const modulus *m = MODULUS;
    size_t count = (size_t)v[1].len / m->width;
    const char *wrong = v[0].len == v[1].len ? check_rows(m, &v[1], count) : LENGTHS;
    COMPUTE(2, rows_prefix(m, v[0].buf, v[1].buf, count));
}

/* unwind(out, x, prefixes, inverses) */
METHOD(modulus_unwind) {
    Py_buffer v[4];
    if (enough(given, 4) || take(arguments, v, 4))
        return NULL;
    const modulus *m = MODULUS;
    size_t count = (size_t)v[1].len / m->width;
    const char *wrong = v[0].len == v[1].len && count ? check_rows(m, &v[1], count) : LENGTHS;
    if (!wrong)
        wrong = check_rows(m, &v[2], count);
    if (!wrong)
        wrong = check_rows(m, &v[3], count < LANES ? count : LANES);
    COMPUTE(4, rows_unwind(m, v[0].buf, v[1].buf, v[2].buf, v[3].buf, count));
}

/* What is wrong with products of rows that are chosen, as pairs of bounds, of so many. */
static const char *check_chosen(const Py_buffer *chosen, const Py_buffer *bounds, size_t rows) {
    const int64_t *row = chosen->buf, *ends = bounds->buf;
    int64_t listed = chosen->len / (Py_ssize_t)sizeof *row;
    for (size_t i = 0; i < (size_t)bounds->len / sizeof *ends; i += 2) {
        if (ends[i] < 0 || ends[i] >= ends[i + 1] || ends[i + 1] > listed)
            return "a product has no rows, or they are out of range";
        for (int64_t at = ends[i]; at < ends[i + 1]; at++)
            if (row[at] < 0 || (size_t)row[at] >= rows)
                return "a product has no rows, or they are out of range";
    }
    return NULL;
}

/* products(out, chosen, bounds, blocks, rows, stride, offset): products of chosen rows, between pairs
 * of bounds; blocks is a tuple of buffers, of so many rows of `stride` bytes each */
METHOD(modulus_products) {
    Py_buffer v[3];
    size_t rows, stride;
    if (enough(given, 7) || small_number(arguments[4], INT32_MAX, &rows) ||
        small_number(arguments[5], INT32_MAX, &stride))
        return NULL;
    size_t offset = PyLong_AsSize_t(arguments[6]);
    Py_ssize_t blocks = offset == (size_t)-1 && PyErr_Occurred() ? -1 : PyTuple_Size(arguments[3]);
    if (blocks < 0 || take(arguments, v, 3))
        return NULL;
    const modulus *m = MODULUS;
    size_t count = (size_t)v[0].len / m->width;
    const char *wrong = check_rows(m, &v[0], count);
    if (offset > stride || stride - offset < m->width ||
        (size_t)v[2].len != 2 * count * sizeof(int64_t))
        wrong = LENGTHS;
    int failed = 0, taken = 0;
    Py_buffer *views = calloc((size_t)blocks + 1, sizeof *views);
    const uint8_t **starts = calloc((size_t)blocks + 1, sizeof *starts);
    if (!views || !starts)
        failed = NO_MEMORY;
    for (; taken < blocks && !failed; taken++) {
        PyObject *block = PyTuple_GetItem(arguments[3], taken); /* borrowed */
        if (!block || PyObject_GetBuffer(block, &views[taken], PyBUF_C_CONTIGUOUS))
            break;
        starts[taken] = views[taken].buf;
        if ((size_t)views[taken].len != rows * stride)
            wrong = LENGTHS;
    }
    if (!failed && !PyErr_Occurred()) {
        if (!wrong)
            wrong = check_chosen(&v[1], &v[2], (size_t)blocks * rows);
        if (!wrong) {
            const row_blocks from = {starts, rows, stride, offset};
            Py_BEGIN_ALLOW_THREADS
            unsigned state = kernel_begin();
            failed = rows_products(m, v[0].buf, &from, v[1].buf, v[2].buf, count);
            kernel_end(state);
            Py_END_ALLOW_THREADS
        }
    }
    if (views)
        release(views, taken);
    free(views);
    free(starts);
    if (PyErr_Occurred()) {
        release(v, 3);
        return NULL;
    }
    return finish(v, 3, wrong, failed);
}

/* power(out, x, digits, one_each): digits of 4 bits, most significant first */
METHOD(modulus_power) {
    Py_buffer v[3];
    if (enough(given, 4))
        return NULL;
    int one_each = PyObject_IsTrue(arguments[3]);
    if (one_each < 0 || take(arguments, v, 3))
        return NULL;
    const modulus *m = MODULUS;
    size_t count = (size_t)v[1].len / m->width, windows = (size_t)v[2].len;
    const char *wrong = v[0].len == v[1].len ? check_rows(m, &v[1], count) : LENGTHS;
    if (one_each && count) {
        if (windows % count)
            wrong = LENGTHS;
        windows /= count;
    }
    if (!wrong)
        wrong = check_exponent(&v[2]);
    COMPUTE(3, wiped(m, rows_power(m, v[0].buf, v[1].buf, count, v[2].buf, windows, one_each)));
}

/* power_sparse(out, x, exponent): a public exponent, big-endian */
METHOD(modulus_power_sparse) {
    Py_buffer v[3];
    if (enough(given, 3) || take(arguments, v, 3))
        return NULL;
    const modulus *m = MODULUS;
    size_t count = (size_t)v[1].len / m->width;
    const char *wrong = v[0].len == v[1].len ? check_rows(m, &v[1], count) : LENGTHS;
    COMPUTE(3, rows_power_sparse(m, v[0].buf, v[1].buf, count, v[2].buf, (size_t)v[2].len));
}

/* pieces(out, rows): numbers in one piece, in Montgomery form */
METHOD(modulus_pieces) {
    Py_buffer v[2];
    if (enough(given, 2) || take(arguments, v, 2))
        return NULL;
    const modulus *m = MODULUS;
    size_t count = (size_t)v[1].len / m->width;
    const char *wrong = check_rows(m, &v[1], count);
    if ((size_t)v[0].len != count * m->stride * sizeof(uint64_t))
        wrong = LENGTHS;
    COMPUTE(2, pieces_of_rows(m, v[0].buf, v[1].buf, count));
}

/* multiples(out, pieces, largest): each piece's powers up to `largest` */
METHOD(modulus_multiples) {
    Py_buffer v[2];
    size_t largest;
    if (enough(given, 3) || small_number(arguments[2], 1 << 15, &largest) ||
        take(arguments, v, 2))
        return NULL;
    const modulus *m = MODULUS;
    size_t piece = m->stride * sizeof(uint64_t), count = (size_t)v[1].len / piece;
    const char *wrong = NULL;
    if ((size_t)v[1].len != count * piece || (size_t)v[0].len != count * largest * piece)
        wrong = LENGTHS;
    COMPUTE(2, pieces_multiples(m, v[0].buf, v[1].buf, count, largest));
}

static const char *check_digits(const Py_buffer *digits, size_t count, size_t largest) {
    if ((size_t)digits->len != count * sizeof(int16_t))
        return LENGTHS;
    const int16_t *digit = digits->buf;
    for (size_t i = 0; i < count; i++)
        if ((size_t)abs(digit[i]) > largest)
            return "a digit is out of range";
    return NULL;
}

/* buckets(out, positive, negative, digits, starts, rows, largest) */
METHOD(modulus_buckets) {
    Py_buffer v[5];
    size_t rows, largest;
    if (enough(given, 7) || small_number(arguments[5], SIZE_MAX / 2, &rows) ||
        small_number(arguments[6], 1 << 15, &largest) || take(arguments, v, 5))
        return NULL;
    const modulus *m = MODULUS;
    size_t piece = m->stride * sizeof(uint64_t), bases = (size_t)v[1].len / piece;
    size_t tasks = (size_t)v[4].len / sizeof(int64_t);
    const char *wrong = NULL;
    if (rows > bases || v[1].len != v[2].len || (size_t)v[1].len != bases * piece ||
        (size_t)v[4].len != tasks * sizeof(int64_t) || (size_t)v[0].len != tasks * m->width)
        wrong = LENGTHS;
    for (size_t t = 0; t < tasks && !wrong; t++) {
        int64_t start = ((const int64_t *)v[4].buf)[t];
        if (start < 0 || (size_t)start > bases - rows)
            wrong = "a task goes beyond the bases";
    }
    if (!wrong)
        wrong = check_digits(&v[3], tasks * rows, largest);
    COMPUTE(5, bucket_products(m, v[0].buf, v[1].buf, v[2].buf, v[3].buf, v[4].buf, tasks,
            rows, largest));
}

/* straus(out, positive, negative, digits, bases, windows, bits, largest) */
METHOD(modulus_straus) {
    Py_buffer v[4];
    size_t bases, windows, bits, largest;
    if (enough(given, 8) || small_number(arguments[4], SIZE_MAX / 2, &bases) ||
        small_number(arguments[5], 64, &windows) || small_number(arguments[6], 16, &bits) ||
        small_number(arguments[7], 1 << 15, &largest) || take(arguments, v, 4))
        return NULL;
    const modulus *m = MODULUS;
    size_t piece = m->stride * sizeof(uint64_t), outputs = (size_t)v[0].len / m->width;
    const char *wrong = NULL;
    /* First that there are so many bases, so that the products below cannot overflow. */
    if (bases > (size_t)v[1].len / piece || v[1].len != v[2].len ||
        (size_t)v[1].len != bases * largest * piece || (size_t)v[0].len != outputs * m->width)
        wrong = LENGTHS;
    if (!wrong)
        wrong = check_digits(&v[3], windows * outputs * bases, largest);
    COMPUTE(4, straus_products(m, v[0].buf, v[1].buf, v[2].buf, v[3].buf, outputs, bases,
            windows, bits, largest));
}

static PyObject *modulus_stride(PyObject *object, void *unused) {
    (void)unused;
    return PyLong_FromSize_t(MODULUS->stride);
}

/* Table(modulus, bases) */
static PyObject *table_new(PyTypeObject *type, PyObject *arguments, PyObject *keywords) {
    (void)keywords;
    PyObject *owner;
    Py_buffer bases;
    if (!PyArg_ParseTuple(arguments, "O!y*", ModulusType, &owner, &bases))
        return NULL;
    const modulus *m = ((ModulusObject *)owner)->m;
    TableObject *self = NULL;
    size_t count = (size_t)bases.len / m->width;
    const char *wrong = check_rows(m, &bases, count);
    if (!wrong && !rows_are_below(m->n_bytes, m->width, bases.buf, count))
        wrong = "a base is not below the modulus";
    if (count < 1 || count > 4096)
        wrong = "the number of bases is out of range";
    if (wrong) {
        PyErr_SetString(PyExc_ValueError, wrong);
    } else if ((self = (TableObject *)PyType_GenericAlloc(type, 0))) {
        Py_INCREF(owner);
        self->modulus = owner;
        self->table.m = m;
        self->table.bases = count;
        self->table.entries = calloc(count * 256 * m->stride, sizeof(uint64_t));
        int failed = self->table.entries == NULL;
        if (!failed) {
            Py_BEGIN_ALLOW_THREADS
            unsigned state = kernel_begin();
            failed = table_fill(&self->table, bases.buf);
            kernel_end(state);
            Py_END_ALLOW_THREADS
        }
        if (failed) {
            Py_CLEAR(self);
            PyErr_NoMemory();
        }
    }
    PyBuffer_Release(&bases);
    return (PyObject *)self;
}

static void table_free(PyObject *object) {
    TableObject *self = (TableObject *)object;
    free(self->table.entries);
    Py_XDECREF(self->modulus);
    free_object(object);
}

/* powers_times(out, exponents, factors) */
METHOD(table_powers) {
    Py_buffer v[3];
    if (enough(given, 3) || take(arguments, v, 3))
        return NULL;
    const power_table *table = &((TableObject *)object)->table;
    size_t count = (size_t)v[2].len / table->m->width;
    const char *wrong = v[0].len == v[2].len ? check_rows(table->m, &v[2], count) : LENGTHS;
    if ((size_t)v[1].len != count * table->bases)
        wrong = LENGTHS;
    COMPUTE(3, wiped(table->m, table_powers_times(table, v[0].buf, v[1].buf, v[2].buf, count)));
}

/* Rsa(p, q, p_digits, q_digits, q_inverse, n): p and q are of Modulus; digits of d mod p - 1 and
 * d mod q - 1 in 4 bits each, equally many; q_inverse = R/q mod p */
static PyObject *rsa_new(PyTypeObject *type, PyObject *arguments, PyObject *keywords) {
    (void)keywords;
    PyObject *p, *q;
    Py_buffer dp, dq, inverse, n;
    if (!PyArg_ParseTuple(arguments, "O!O!y*y*y*y*", ModulusType, &p, ModulusType, &q, &dp, &dq,
                          &inverse, &n))
        return NULL;
    const modulus *mp = ((ModulusObject *)p)->m, *mq = ((ModulusObject *)q)->m;
    RsaObject *self = NULL;
    const char *wrong = check_exponent(&dp);
    if (!wrong)
        wrong = check_exponent(&dq);
    if (mp->limbs != mq->limbs || mp->width != mq->width || mp->bits != mq->bits || dp.len != dq.len ||
        (size_t)inverse.len != mp->width || n.len < 1 || (size_t)n.len > 2 * mp->width)
        wrong = LENGTHS;
    else if (!rows_are_below(mp->n_bytes, mp->width, inverse.buf, 1))
        wrong = "1/q is not below p";
    if (wrong) {
        PyErr_SetString(PyExc_ValueError, wrong);
    } else if ((self = (RsaObject *)PyType_GenericAlloc(type, 0))) {
        self->key = calloc(1, sizeof *self->key);
        uint8_t *digits = malloc(2 * (size_t)dp.len + (size_t)n.len);
        if (!self->key || !digits) {
            free(digits);
            Py_CLEAR(self);
            PyErr_NoMemory();
        } else {
            self->key->p = *mp;
            self->key->q = *mq;
            self->key->p_digits = digits;
            self->key->q_digits = digits + dp.len;
            memcpy(digits, dp.buf, (size_t)dp.len);
            memcpy(digits + dp.len, dq.buf, (size_t)dq.len);
            self->key->windows = (size_t)dp.len;
            self->key->width = (size_t)n.len;
            self->key->n_bytes = digits + 2 * dp.len;
            memcpy(self->key->n_bytes, n.buf, (size_t)n.len);
            limbs_of_bytes(self->key->q_inverse, 1, mp->limbs, inverse.buf, mp->width);
        }
    }
    PyBuffer_Release(&dp);
    PyBuffer_Release(&dq);
    PyBuffer_Release(&inverse);
    PyBuffer_Release(&n);
    return (PyObject *)self;
}

static void rsa_free(PyObject *object) {
    rsa_key *key = ((RsaObject *)object)->key;
    if (key) {
        if (key->p_digits)
            wipe(key->p_digits, 2 * key->windows);
        free(key->p_digits);
        wipe(key, sizeof *key);
    }
    free(key);
    free_object(object);
}

/* power(out, x): rows of x are below p * q */
METHOD(rsa_power) {
    Py_buffer v[2];
    if (enough(given, 2) || take(arguments, v, 2))
        return NULL;
    const rsa_key *key = ((RsaObject *)object)->key;
    size_t count = (size_t)v[1].len / key->width;
    const char *wrong = NULL;
    if (v[0].len != v[1].len || (size_t)v[1].len != count * key->width)
        wrong = LENGTHS;
    else if (!rows_are_below(key->n_bytes, key->width, v[1].buf, count))
        wrong = "a value is not below the modulus";
    COMPUTE(2, wiped(&key->p, rows_rsa(key, v[0].buf, v[1].buf, count)));
}

#define FAST(name, function, about) {name, (PyCFunction)(void (*)(void))function, METH_FASTCALL, about}

static PyMethodDef modulus_methods[] = {
    FAST("multiply", modulus_multiply, "multiply(out, a, b): products, row by row."),
    FAST("prefix", modulus_prefix, "prefix(out, x): the product of each row and every 8th before."),
    FAST("unwind", modulus_unwind, "unwind(out, x, prefixes, inverses): the rows' inverses."),
    FAST("products", modulus_products,
         "products(out, chosen, bounds, blocks, rows, stride, offset): products of chosen rows."),
    FAST("power", modulus_power, "power(out, x, digits, one_each): constant-time powers."),
    FAST("power_sparse", modulus_power_sparse, "power_sparse(out, x, exponent)"),
    FAST("pieces", modulus_pieces, "pieces(out, rows): rows in Montgomery form."),
    FAST("multiples", modulus_multiples, "multiples(out, pieces, largest)"),
    FAST("buckets", modulus_buckets,
         "buckets(out, positive, negative, digits, starts, rows, largest)"),
    FAST("straus", modulus_straus,
         "straus(out, positive, negative, digits, bases, windows, bits, largest)"),
    {0},
};
static PyGetSetDef modulus_attributes[] = {
    {"stride", modulus_stride, NULL, "64-bit words of a piece.", NULL},
    {0},
};
static PyMethodDef table_methods[] = {
    FAST("powers_times", table_powers, "powers_times(out, exponents, factors)"),
    {0},
};
static PyMethodDef rsa_methods[] = {
    FAST("power", rsa_power, "power(out, x): x^d, constant-time."),
    {0},
};

static PyType_Slot modulus_slots[] = {
    {Py_tp_doc, "Modulus(n, r, r2, limbs): an odd modulus, R and R^2 modulo it."},
    {Py_tp_new, modulus_new},
    {Py_tp_dealloc, modulus_free},
    {Py_tp_methods, modulus_methods},
    {Py_tp_getset, modulus_attributes},
    {0},
};
static PyType_Slot table_slots[] = {
    {Py_tp_doc, "Table(modulus, bases): the powers of each base."},
    {Py_tp_new, table_new},
    {Py_tp_dealloc, table_free},
    {Py_tp_methods, table_methods},
    {0},
};
static PyType_Slot rsa_slots[] = {
    {Py_tp_doc, "Rsa(p, q, p_digits, q_digits, q_inverse, n): a private key."},
    {Py_tp_new, rsa_new},
    {Py_tp_dealloc, rsa_free},
    {Py_tp_methods, rsa_methods},
    {0},
};

#define SPEC(type, object, slots_of) \
    {.name = MODULE "." type, .basicsize = sizeof(object), \
     .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE, .slots = slots_of}
static PyType_Spec modulus_spec = SPEC("Modulus", ModulusObject, modulus_slots);
static PyType_Spec table_spec = SPEC("Table", TableObject, table_slots);
static PyType_Spec rsa_spec = SPEC("Rsa", RsaObject, rsa_slots);

/* The type of a spec, as a part of the module; NULL with an exception. */
static PyTypeObject *add_type(PyObject *module, PyType_Spec *spec) {
    PyObject *type = PyType_FromSpec(spec);
    if (type && PyModule_AddType(module, (PyTypeObject *)type))
        Py_CLEAR(type);
    return (PyTypeObject *)type;
}

static PyObject *available(PyObject *module, PyObject *unused) {
    (void)module;
    (void)unused;
    return PyBool_FromLong(backend_runs());
}

static PyMethodDef functions[] = {
    {"available", available, METH_NOARGS, "Whether this back end runs here: processor and system."},
    {0},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = TEXT(BACKEND_NAME),
    .m_doc = "Modular arithmetic on columns of numbers, several at a time.",
    .m_size = -1,
    .m_methods = functions,
};

PyMODINIT_FUNC JOINED(PyInit_, BACKEND_NAME)(void) {
    PyObject *module = PyModule_Create(&definition);
    if (!module || !(ModulusType = add_type(module, &modulus_spec)) ||
        !add_type(module, &table_spec) || !add_type(module, &rsa_spec) ||
        PyModule_AddIntConstant(module, "LANES", LANES) ||
        PyModule_AddIntConstant(module, "TILE", TILE) ||
        PyModule_AddIntConstant(module, "SMALLEST_LIMBS", SMALLEST_LIMBS)) {
        Py_XDECREF(module);
        return NULL;
    }
    return module;
}
