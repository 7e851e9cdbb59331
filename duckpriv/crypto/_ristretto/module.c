/* The curve's kernel as a Python module. This file and scalars.c run on every processor; the others
 * only where available() is true. Rows come and go as buffers of bytes; lengths and ranges are
 * checked here, and the GIL is released while the kernel computes. It keeps to Python's limited API
 * of 3.11. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "curve.h"

#define TEXT_(x) #x
#define TEXT(x) TEXT_(x)
#define JOINED_(a, b) a##b
#define JOINED(a, b) JOINED_(a, b)

enum { MOST = 3 };

/* The arguments of a call: buffers, of which a first one for results is writable. */
typedef struct {
    Py_buffer views[MOST];
    int count;
    const char *wrong;
} call;

static void release(call *c) {
    while (c->count)
        PyBuffer_Release(&c->views[--c->count]);
}

/* Take `count` buffers of rows of such widths. */
static int take(call *c, PyObject *arguments, int count, int results) {
    *c = (call){.count = 0};
    if (PyTuple_Size(arguments) != count) {
        PyErr_Format(PyExc_TypeError, "%zd arguments instead of %d", PyTuple_Size(arguments), count);
        return -1;
    }
    for (; c->count < count; c->count++)
        if (PyObject_GetBuffer(PyTuple_GetItem(arguments, c->count), &c->views[c->count],
                               c->count < results ? PyBUF_WRITABLE | PyBUF_C_CONTIGUOUS
                                                  : PyBUF_C_CONTIGUOUS)) {
            release(c);
            return -1;
        }
    return 0;
}

/* Whether buffer i has exactly so many rows. */
static void check(call *c, int i, size_t width, size_t rows) {
    if ((size_t)c->views[i].len != width * rows)
        c->wrong = "buffers have the wrong lengths";
}

/* Scalars have to be one for all, or one each. */
static scalar_rows check_scalars(call *c, int i, size_t rows) {
    const size_t own = (size_t)c->views[i].len / ROW;
    if (own != 1)
        check(c, i, ROW, rows);
    else
        check(c, i, ROW, 1);
    if (!c->wrong && !scalars_are_below(c->views[i].buf, own))
        c->wrong = "a scalar is not below the group's order";
    return (scalar_rows){c->views[i].buf, own == 1 ? 0 : ROW};
}

static PyObject *finish(call *c, int failed, size_t bad) {
    release(c);
    if (c->wrong) {
        PyErr_SetString(PyExc_ValueError, c->wrong);
        return NULL;
    }
    return failed ? PyErr_NoMemory() : PyLong_FromSize_t(bad);
}

#define FUNCTION(name) static PyObject *name(PyObject *module, PyObject *arguments)
#define TAKE(count, results)                   \
    call c;                                    \
    size_t bad = 0;                            \
    (void)module;                              \
    if (take(&c, arguments, count, results))   \
        return NULL
/* The end of a function: unless something is wrong, compute without the GIL. */
#define COMPUTE(work)                    \
    do {                                 \
        int failed = 0;                  \
        if (!c.wrong) {                  \
            Py_BEGIN_ALLOW_THREADS       \
            unsigned state = kernel_begin(); \
            failed = (work);             \
            kernel_end(state);           \
            Py_END_ALLOW_THREADS         \
        }                                \
        return finish(&c, failed, bad);  \
    } while (0)

FUNCTION(py_multiply) {
    TAKE(3, 1);
    const size_t rows = (size_t)c.views[1].len / ROW;
    check(&c, 0, ROW, rows);
    check(&c, 1, ROW, rows);
    scalar_rows scalars = check_scalars(&c, 2, rows);
    COMPUTE(curve_wiped(rows_multiply_points(c.views[0].buf, c.views[1].buf, scalars, rows, &bad)));
}

FUNCTION(py_map_multiply) {
    TAKE(3, 1);
    const size_t rows = (size_t)c.views[1].len / UNIFORM_ROW;
    check(&c, 0, ROW, rows);
    check(&c, 1, UNIFORM_ROW, rows);
    scalar_rows scalars = check_scalars(&c, 2, rows);
    COMPUTE(curve_wiped(rows_map_multiply(c.views[0].buf, c.views[1].buf, scalars, rows)));
}

FUNCTION(py_map) {
    TAKE(2, 1);
    const size_t rows = (size_t)c.views[1].len / UNIFORM_ROW;
    check(&c, 0, ROW, rows);
    check(&c, 1, UNIFORM_ROW, rows);
    COMPUTE((rows_map(c.views[0].buf, c.views[1].buf, rows), curve_wiped(0)));
}

FUNCTION(py_bad) {
    TAKE(1, 0);
    const size_t rows = (size_t)c.views[0].len / ROW;
    check(&c, 0, ROW, rows);
    COMPUTE((bad = rows_bad(c.views[0].buf, rows), 0));
}

FUNCTION(py_weighted_sum) {
    TAKE(3, 1);
    const size_t rows = (size_t)c.views[1].len / ROW;
    check(&c, 0, ROW, 1);
    check(&c, 1, ROW, rows);
    check(&c, 2, ROW, rows);
    if (!c.wrong)
        check_scalars(&c, 2, rows);
    COMPUTE(rows_weighted_sum(c.views[0].buf, c.views[1].buf, c.views[2].buf, rows, &bad));
}

FUNCTION(py_reduce) {
    TAKE(2, 1);
    const size_t rows = (size_t)c.views[1].len / UNIFORM_ROW;
    check(&c, 0, ROW, rows);
    check(&c, 1, UNIFORM_ROW, rows);
    COMPUTE((scalars_reduce(c.views[0].buf, c.views[1].buf, rows), curve_wiped(0)));
}

FUNCTION(py_field) {
    TAKE(3, 1);
    const size_t rows = (size_t)c.views[1].len / FIELD_ROW;
    check(&c, 0, FIELD_RESULTS, rows);
    check(&c, 1, FIELD_ROW, rows);
    check(&c, 2, FIELD_ROW, rows);
    COMPUTE((rows_field(c.views[0].buf, c.views[1].buf, c.views[2].buf, rows), 0));
}

static PyObject *available(PyObject *module, PyObject *unused) {
    (void)module;
    (void)unused;
    return PyBool_FromLong(backend_runs());
}

static PyMethodDef functions[] = {
    {"available", available, METH_NOARGS, "Whether this back end runs here: processor and system."},
    {"multiply", py_multiply, METH_VARARGS,
     "multiply(out, points, scalars): products; how many rows are no points, or the identity."},
    {"map_multiply", py_map_multiply, METH_VARARGS, "map_multiply(out, uniform, scalars)"},
    {"map", py_map, METH_VARARGS, "map(out, uniform): points of rows of 64 bytes."},
    {"bad", py_bad, METH_VARARGS, "bad(points): how many rows are no points, or the identity."},
    {"weighted_sum", py_weighted_sum, METH_VARARGS,
     "weighted_sum(out, points, scalars): of public values; how many rows are bad."},
    {"reduce", py_reduce, METH_VARARGS, "reduce(out, wide): scalars of rows of 64 bytes."},
    {"field", py_field, METH_VARARGS, "field(out, a, b): for tests."},
    {0},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "duckpriv.crypto._ristretto." TEXT(BACKEND_NAME),
    .m_doc = "Columns of ristretto255, several points at a time.",
    .m_size = -1,
    .m_methods = functions,
};

PyMODINIT_FUNC JOINED(PyInit_, BACKEND_NAME)(void) {
    PyObject *module = PyModule_Create(&definition);
    if (module && PyModule_AddIntConstant(module, "ROWS", COMPUTED_ROWS)) {
        Py_DECREF(module);
        return NULL;
    }
    return module;
}
