# Every target makes .venv first; nothing else has to be installed.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test test-all attacks endurance test-oldest lint bench docs notebooks wheels check-wheels check-ct sanitize clean

demo: .venv/demo
	$(BIN)/python -m examples.private_matching.demo

# A process for each core; the tests of a file stay in one. Without the option for the order, files of
# few and long tests come last, and one core waits.
PYTEST := $(BIN)/python -m pytest --numprocesses auto --dist loadfile --no-loadscope-reorder

test: .venv/test
	$(PYTEST)

# The attacks alone: tests that play a dishonest or curious party.
attacks: .venv/test
	DUCKPRIV_THOROUGH=1 $(PYTEST) tests/attacks

# More examples in the slowest property tests, clusters of Ray and Spark (Java 17), notebooks, the site,
# a local S3 server, and the report in a browser (chromium); and dbt, SQLMesh, Dagster and clients, in
# environments of their own.
test-all: .venv/test .venv/tools .venv/docs build/pipelines/installed build/sqlmesh/installed
	DUCKPRIV_THOROUGH=1 $(PYTEST)

# Parties of all protocols are killed at random and started again, and what comes out is compared;
# beside that every parser gets damaged bytes. make endurance MINUTES=60 does so for an hour. What
# shows a fault is kept in build/endurance; a run says its seed, and SEED=… repeats it.
MINUTES ?= 10
endurance: .venv/test
	$(BIN)/python -m tests.endurance $(MINUTES) $(if $(SEED),--seed $(SEED))

# With the oldest DuckDB that is supported.
test-oldest:
	$(PYTHON) -m venv build/oldest
	build/oldest/bin/pip install --quiet --disable-pip-version-check --editable '.[test]' 'duckdb==1.5.0'
	$(subst $(BIN),build/oldest/bin,$(PYTEST))

lint: .venv/lint
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# make bench ONLY=psi runs a part
bench: .venv/bench
	$(BIN)/python -m benchmarks.run $(ONLY)

# Writes docs/functions.md anew from the registry, duckpriv/settings.py from the scripts, and the
# pictures from the protocols' tables, then the site to build/site; a warning is an error. To read it:
# python -m http.server -d build/site. (MkDocs counts no warnings with --quiet.)
docs: .venv/docs
	$(BIN)/python -m docs.reference > docs/functions.md
	$(BIN)/python -m docs.settings > settings.new && mv settings.new duckpriv/settings.py
	$(BIN)/python -m docs.pictures
	$(BIN)/python -m docs.pages
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

# Runs the tutorials (docs/tutorials) anew, and keeps what their cells show.
notebooks: .venv/test .venv/tools
	$(BIN)/python -m docs.notebooks

# dist/: the source archive, and wheels for all systems.
wheels: .venv/wheels
	$(BIN)/python -m wheels.make

# Installs the wheels of dist/ where no compiler is, and runs tests on them.
check-wheels: .venv/wheels
	$(BIN)/python -m wheels.check

KERNELS := _modarith _ristretto
BACKENDS := ifma avx512 avx2
# The C of a kernel; memory.c belongs to both.
sources = $(sort $(wildcard duckpriv/crypto/$(1)/*.c) duckpriv/crypto/_modarith/memory.c)
ALL_C := $(foreach kernel,$(KERNELS),$(wildcard duckpriv/crypto/$(kernel)/*.[ch]))
upper = $(shell echo $(1) | tr a-z A-Z)

# The kernels' tests under AddressSanitizer and UndefinedBehaviorSanitizer, for each back end that the
# processor runs, and for portable C.
SANITIZERS := -g -O1 -Wno-psabi -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
sanitize: .venv/test $(foreach kernel,$(KERNELS),$(patsubst %,build/sanitized/$(kernel)/%.so,$(BACKENDS) portable))
	LD_PRELOAD="$$($(CC) -print-file-name=libasan.so) $$($(CC) -print-file-name=libubsan.so)" ASAN_OPTIONS=detect_leaks=0 \
	DUCKPRIV_TEST_KERNELS=build/sanitized $(BIN)/python -m pytest --numprocesses auto tests/crypto/test_kernel.py tests/crypto/test_ristretto.py

build/sanitized/%.so: $(ALL_C)
	mkdir -p $(@D)
	$(CC) -shared -fPIC -std=gnu11 $(SANITIZERS) -DBACKEND_$(call upper,$(*F)) \
	  $$($(BIN)/python -c "import sysconfig; print('-I' + sysconfig.get_path('include'))") $(call sources,$(*D)) -o $@

# The paths of secrets. For every back end that the processor runs: which instructions run may not
# depend on a secret, nor what is left on the stack. Under valgrind, which does not know AVX-512, for
# the others: a branch or an address that depends on a secret is an error.
CHECKED := $(foreach kernel,$(KERNELS),$(patsubst %,build/constant-time/$(kernel)/%,$(BACKENDS) portable))
check-ct: $(CHECKED)
	for checked in $(filter-out %/portable,$(CHECKED)); do \
	  $$checked trace || exit 1; \
	done
	for checked in $(filter %/avx2 %/portable,$(CHECKED)); do \
	  valgrind --quiet --error-exitcode=1 $$checked valgrind || exit 1; \
	done
	for kernel in $(KERNELS); do \
	  ! build/constant-time/$$kernel/avx2 trace leak || exit 1; \
	  ! valgrind --quiet --error-exitcode=1 build/constant-time/$$kernel/portable valgrind leak 2> build/constant-time/leak.log || exit 1; \
	done
	@echo "no branch and no address depends on a secret, and the check finds one that does"

build/constant-time/%: $(wildcard tests/crypto/constant_time*) $(ALL_C)
	mkdir -p $(@D)
	$(CC) -g -O3 -std=gnu11 -D_GNU_SOURCE -DBACKEND_$(call upper,$(*F)) -Wno-psabi -Iduckpriv/crypto/$(*D) \
	  tests/crypto/constant_time$(*D).c $(filter-out %/module.c,$(call sources,$(*D))) -o $@

# build/pipelines, build/sqlmesh: environments with that extra, beside .venv, whose versions they would
# hold back.
build/%/installed: pyproject.toml setup.py | .venv/test
	$(PYTHON) -m venv build/$*
	build/$*/bin/pip install -qq --disable-pip-version-check --editable '.[$*]'
	touch $@

clean:
	rm -rf .venv build dist demo *.egg-info duckpriv/crypto/*/*.so

# .venv/demo, .venv/test, … say that the package is installed with that extra. Kernels of before are
# removed, since Python prefers one that was made for its version.
.venv/%: pyproject.toml setup.py $(wildcard duckpriv/crypto/*/*.[ch])
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	rm -f duckpriv/crypto/*/*.so
	$(BIN)/pip install -qq --disable-pip-version-check --editable '.[$*]'
	touch $@
