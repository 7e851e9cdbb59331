# Every target makes .venv first; nothing else has to be installed.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test test-all attacks endurance test-oldest lint bench docs wheels check-wheels check-ct sanitize clean

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

# More examples in the slowest property tests.
test-all: .venv/test
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
bench: .venv/test
	$(BIN)/python -m benchmarks.run $(ONLY)

# Writes docs/functions.md anew from the registry.
docs: .venv/test
	$(BIN)/python -m docs.reference > docs/functions.md

# dist/: the source archive, and wheels for all systems.
wheels: .venv/wheels
	$(BIN)/python -m wheels.make

# Installs the wheels of dist/ where no compiler is, and runs tests on them.
check-wheels: .venv/wheels
	$(BIN)/python -m wheels.check

# The kernel's C in a build of its own below build/: $(1) is its folder, $(2) what the compiler gets.
KERNEL := duckpriv/crypto/_modarith
KERNEL_SOURCES := $(filter-out $(KERNEL)/module.c,$(wildcard $(KERNEL)/*.c))
define build_kernel
	mkdir -p build/$(1)
	$(CC) -shared -fPIC -std=gnu11 $(2) $$($(BIN)/python -c "import sysconfig; print('-I' + sysconfig.get_path('include'))") \
	  $(KERNEL)/*.c -o build/$(1)/compiled.so
endef

# The kernel's tests under AddressSanitizer and UndefinedBehaviorSanitizer: with AVX-512 where the
# processor has it, and as portable C.
SANITIZERS := -g -O1 -Wno-psabi -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
sanitize: .venv/test
	$(call build_kernel,sanitized,$(SANITIZERS))
	$(call build_kernel,sanitized-portable,$(SANITIZERS) -DMODARITH_PORTABLE)
	for build in sanitized sanitized-portable; do \
	  LD_PRELOAD="$$($(CC) -print-file-name=libasan.so) $$($(CC) -print-file-name=libubsan.so)" ASAN_OPTIONS=detect_leaks=0 \
	  DUCKPRIV_TEST_KERNEL=build/$$build/compiled.so $(BIN)/python -m pytest tests/crypto/test_kernel.py || exit 1; \
	done

# The secret-exponent paths under valgrind: a branch or an address that depends on a secret is an
# error. Valgrind does not know AVX-512, so this is the same source as portable C.
check-ct:
	mkdir -p build
	$(CC) -g -O3 -std=gnu11 -DMODARITH_PORTABLE -Wno-psabi -I$(KERNEL) tests/crypto/constant_time.c $(KERNEL_SOURCES) -o build/constant-time
	valgrind --quiet --error-exitcode=1 build/constant-time
	! valgrind --quiet --error-exitcode=1 build/constant-time leak 2> build/constant-time.log
	@echo "no branch and no address depends on a secret, and the check finds one that does"

clean:
	rm -rf .venv build dist demo *.egg-info duckpriv/crypto/*/*.so

# .venv/demo, .venv/test, … say that the package is installed with that extra. Kernels of before are
# removed, since Python prefers one that was made for its version.
.venv/%: pyproject.toml setup.py $(wildcard duckpriv/crypto/*/*.[ch])
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	rm -f duckpriv/crypto/*/*.so
	$(BIN)/pip install -qq --disable-pip-version-check --editable '.[$*]'
	touch $@
