/* Hashes of whole columns as a Python module, with the GIL released. It keeps to Python's limited API of
 * 3.11. A column of messages comes as all their bytes, and where each one ends, as int64. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "hashes.h"

#include <string.h>

void erase(void *memory, size_t length) {
    memset(memory, 0, length);
    __asm__ volatile("" : : "r"(memory) : "memory");
}

/* EMSA-PSS-ENCODE with SHA-384 and no salt (RFC 8017, 9.1.1): `bits` is emBits. */
static void pss_encode(uint8_t *out, size_t width, size_t bits, part message) {
    static const uint8_t zeros[8];
    uint8_t digest[SHA384_BYTES], *h = out + width - SHA384_BYTES - 1;
    sha384(digest, &message, 1);
    part salted[2] = {{zeros, sizeof zeros}, {digest, sizeof digest}};
    sha384(h, salted, 2);
    size_t length = width - SHA384_BYTES - 1; /* of DB, masked by MGF1 (B.2.1) */
    for (size_t at = 0, counter = 0; at < length; at += SHA384_BYTES, counter++) {
        uint8_t number[4] = {(uint8_t)(counter >> 24), (uint8_t)(counter >> 16),
                             (uint8_t)(counter >> 8), (uint8_t)counter};
        part seed[2] = {{h, SHA384_BYTES}, {number, sizeof number}};
        sha384(digest, seed, 2);
        memcpy(out + at, digest, length - at < SHA384_BYTES ? length - at : SHA384_BYTES);
    }
    out[length - 1] ^= 1;
    out[0] &= (uint8_t)(0xff >> (8 * width - bits));
    out[width - 1] = 0xbc;
}

/* Whether messages end in order and within `length`, and there is a row of `width` for each. */
static const char *wrong(const Py_buffer *out, Py_ssize_t width, Py_ssize_t length, const Py_buffer *ends) {
    Py_ssize_t rows = ends->len / (Py_ssize_t)sizeof(int64_t);
    const int64_t *end = ends->buf;
    if (ends->len % (Py_ssize_t)sizeof(int64_t) || width < 1 || out->len / width != rows || out->len % width)
        return "buffers do not fit together";
    int64_t before = 0;
    for (Py_ssize_t row = 0; row < rows; before = end[row++])
        if (end[row] < before || end[row] > length)
            return "messages do not end one behind the other";
    return NULL;
}

/* pss_encode(out, bits, messages, ends) */
static PyObject *py_pss_encode(PyObject *self, PyObject *arguments) {
    (void)self;
    Py_buffer out, messages, ends;
    Py_ssize_t bits;
    if (!PyArg_ParseTuple(arguments, "w*ny*y*", &out, &bits, &messages, &ends))
        return NULL;
    Py_ssize_t width = (bits + 7) / 8;
    const char *error = width < SHA384_BYTES + 2 ? "the modulus is too short"
                                                 : wrong(&out, width, messages.len, &ends);
    if (error) {
        PyErr_SetString(PyExc_ValueError, error);
    } else {
        const int64_t *end = ends.buf;
        Py_ssize_t rows = ends.len / (Py_ssize_t)sizeof *end;
        Py_BEGIN_ALLOW_THREADS
        int64_t at = 0;
        for (Py_ssize_t row = 0; row < rows; at = end[row++])
            pss_encode((uint8_t *)out.buf + row * width, (size_t)width, (size_t)bits,
                       (part){(const uint8_t *)messages.buf + at, (size_t)(end[row] - at)});
        Py_END_ALLOW_THREADS
    }
    PyBuffer_Release(&out);
    PyBuffer_Release(&messages);
    PyBuffer_Release(&ends);
    if (error)
        return NULL;
    Py_RETURN_NONE;
}

/* shake256(out, length, before, messages, ends, after): of before || message || after */
static PyObject *py_shake256(PyObject *self, PyObject *arguments) {
    (void)self;
    Py_buffer out, before, messages, ends, after;
    Py_ssize_t length;
    if (!PyArg_ParseTuple(arguments, "w*ny*y*y*y*", &out, &length, &before, &messages, &ends, &after))
        return NULL;
    const char *error = wrong(&out, length, messages.len, &ends);
    if (error) {
        PyErr_SetString(PyExc_ValueError, error);
    } else {
        const int64_t *end = ends.buf;
        Py_ssize_t rows = ends.len / (Py_ssize_t)sizeof *end;
        part parts[3] = {{before.buf, (size_t)before.len}, {NULL, 0}, {after.buf, (size_t)after.len}};
        Py_BEGIN_ALLOW_THREADS
        int64_t at = 0;
        for (Py_ssize_t row = 0; row < rows; at = end[row++]) {
            parts[1] = (part){(const uint8_t *)messages.buf + at, (size_t)(end[row] - at)};
            shake256((uint8_t *)out.buf + row * length, (size_t)length, parts, 3);
        }
        Py_END_ALLOW_THREADS
    }
    PyBuffer_Release(&out);
    PyBuffer_Release(&before);
    PyBuffer_Release(&messages);
    PyBuffer_Release(&ends);
    PyBuffer_Release(&after);
    if (error)
        return NULL;
    Py_RETURN_NONE;
}

/* sha512(out, before, messages, ends, after): of before || message || after */
static PyObject *py_sha512(PyObject *self, PyObject *arguments) {
    (void)self;
    Py_buffer out, before, messages, ends, after;
    if (!PyArg_ParseTuple(arguments, "w*y*y*y*y*", &out, &before, &messages, &ends, &after))
        return NULL;
    const char *error = wrong(&out, SHA512_BYTES, messages.len, &ends);
    if (error) {
        PyErr_SetString(PyExc_ValueError, error);
    } else {
        const int64_t *end = ends.buf;
        Py_ssize_t rows = ends.len / (Py_ssize_t)sizeof *end;
        const part last = {after.buf, (size_t)after.len};
        Py_BEGIN_ALLOW_THREADS
        sha512_state start = SHA512_START;
        sha512_absorb(&start, &(part){before.buf, (size_t)before.len});
        int64_t at = 0;
        for (Py_ssize_t row = 0; row < rows; at = end[row++]) {
            sha512_state now = start;
            sha512_absorb(&now, &(part){(const uint8_t *)messages.buf + at, (size_t)(end[row] - at)});
            sha512_absorb(&now, &last);
            sha512_end((uint8_t *)out.buf + row * SHA512_BYTES, SHA512_BYTES, &now);
        }
        erase(&start, sizeof start);
        Py_END_ALLOW_THREADS
    }
    PyBuffer_Release(&out);
    PyBuffer_Release(&before);
    PyBuffer_Release(&messages);
    PyBuffer_Release(&ends);
    PyBuffer_Release(&after);
    if (error)
        return NULL;
    Py_RETURN_NONE;
}

static PyMethodDef functions[] = {
    {"pss_encode", py_pss_encode, METH_VARARGS,
     "pss_encode(out, bits, messages, ends): EMSA-PSS with SHA-384 and no salt, a row each."},
    {"shake256", py_shake256, METH_VARARGS,
     "shake256(out, length, before, messages, ends, after): SHAKE256 of before, message and after."},
    {"sha512", py_sha512, METH_VARARGS,
     "sha512(out, before, messages, ends, after): SHA-512 of before, message and after."},
    {0},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "duckpriv.crypto._hashing.compiled",
    .m_doc = "Hashes of whole columns, in C.",
    .m_size = -1,
    .m_methods = functions,
};

PyMODINIT_FUNC PyInit_compiled(void) {
    return PyModule_Create(&definition);
}
