# make demo   sets up, translates three pictures, then trains on drawn faces for MINUTES=4,
#             translates and exports; GPU=1 installs TensorFlow with the CUDA libraries
# make test   sets up, runs the fast tests; STACK=tfa for TensorFlow 2.15 with Addons, where what
#             is the same on both stacks is left out but for ALL_TESTS=1
# make test-formats  the tests that need tf2onnx, ONNX Runtime and LiteRT, in .venv-formats
# make test-serve  the tests of the page and the service, which need Flask, in .venv-serve
# make wheel-test  installs the wheel elsewhere and uses it, without downloads; under a minute
# make test-web  the tests of the page of --format web, which need npm and Chromium, in .venv-web
# make bench  measures a step, the input and the test phase beside plain forms; two minutes
# make constraints  renews the exact versions that all of these install; run .ci/run afterwards

STACK ?= default
VENV = $(if $(filter tfa,$(STACK)),.venv-tfa,.venv)
REQUIREMENTS = $(if $(filter tfa,$(STACK)),requirements-tfa.txt,requirements.txt)
CONSTRAINTS = $(if $(filter tfa,$(STACK)),constraints-tfa.txt,constraints.txt)
NEWEST = $(if $(filter tfa,$(STACK)),(3, 11),(3, 13))
OLDEST = $(if $(filter tfa,$(STACK)),(3, 9),(3, 10))
PYTHON = $(VENV)/bin/python
# The first Python that the stack supports; set FIND to name another.
FIND ?= python3 python3.11 python3.12 python3.10 python3.13 python3.9 python
CHECK = import sys; sys.exit(not $(OLDEST) <= sys.version_info[:2] <= $(NEWEST))

MINUTES ?= 4
DEMO = --dataset demo --light True --img_size 64 --ch 16 --n_res 2 --n_dis 5 --lr 0.0004 \
  --cam_weight 100 --cycle_weight 20 --print_freq 250 --save_freq 250 --minutes $(MINUTES)

# What the program needs to run, and what a GPU needs; the tests and the linter need more.
RUNTIME = $(VENV)/$(if $(GPU),runtime-gpu,runtime)

# Python compiles what it imports; to compile all that is installed takes longer than to run.
# It must be allowed to keep that: TensorFlow takes 13 seconds more to import without.
unexport PYTHONDONTWRITEBYTECODE
INSTALL = $(PYTHON) -m pip install --quiet --disable-pip-version-check --no-compile
COMPILE = $(PYTHON) -m uv pip compile --universal --upgrade --no-python-downloads --quiet \
  --no-annotate --custom-compile-command "make constraints"

# A process for each core, but at most four: each holds TensorFlow.
PYTEST = $(PYTHON) -m pytest -q -n auto --maxprocesses 4 --dist loadfile --durations 20

BENCH = --img_size 64 --ch 16 --n_dis 5

.PHONY: demo test test-slow test-formats test-serve test-web wheel-test lint bench \
  constraints environment

demo: $(RUNTIME)
	$(PYTHON) main.py --phase translate --model faces --output results/first --report True
	$(PYTHON) main.py --phase train $(DEMO)
	$(PYTHON) main.py --phase test --dataset demo
	$(PYTHON) main.py --phase export --dataset demo

test: $(VENV)/ready
	$(PYTEST) -m "not slow"

test-slow: $(VENV)/ready
	$(PYTEST) -m slow

test-formats: $(VENV)/ready
	test -x .venv-formats/bin/python || $(PYTHON) -m venv .venv-formats
	.venv-formats/bin/python -m pip install --quiet --disable-pip-version-check \
	  -r $(REQUIREMENTS) -r requirements-dev.txt -r requirements-onnx.txt \
	  -r requirements-litert.txt -c $(CONSTRAINTS)
	.venv-formats/bin/python -m pytest -q tests/test_formats.py tests/test_feature_file.py

test-serve: $(VENV)/ready
	test -x .venv-serve/bin/python || $(PYTHON) -m venv .venv-serve
	.venv-serve/bin/python -m pip install --quiet --disable-pip-version-check \
	  -r $(REQUIREMENTS) -r requirements-dev.txt -r requirements-serve.txt -c $(CONSTRAINTS)
	.venv-serve/bin/python -m pytest -q tests/test_serve.py

wheel-test: $(VENV)/ready
	.ci/wheel-test $(PYTHON)

test-web: $(VENV)/ready
	test -x .venv-web/bin/python || $(PYTHON) -m venv .venv-web
	.venv-web/bin/python -m pip install --quiet --disable-pip-version-check \
	  -r $(REQUIREMENTS) -r requirements-dev.txt -r requirements-onnx.txt playwright \
	  -c $(CONSTRAINTS)
	.venv-web/bin/python -m pytest -q -r s tests/test_web.py tests/test_web_use.py \
	  tests/test_web_page.py

bench: $(VENV)/ready
	$(PYTHON) -m benchmarks.train_step $(BENCH) --rounds 3
	$(PYTHON) -m benchmarks.input_pipeline $(BENCH)
	$(PYTHON) -m benchmarks.translate $(BENCH)
	$(PYTHON) -m benchmarks.summaries $(BENCH)

lint: $(VENV)/ready
	$(PYTHON) -m ruff check .
	$(PYTHON) -m ruff format --check .

environment: $(VENV)/ready

constraints: $(VENV)/ready
	$(PYTHON) -m pip install --quiet --disable-pip-version-check uv
	$(COMPILE) --python-version 3.10 requirements.txt requirements-dev.txt -o constraints.txt
	$(COMPILE) --python-version 3.9 requirements-tfa.txt requirements-dev.txt -o constraints-tfa.txt

$(VENV)/ready: $(VENV)/runtime requirements-dev.txt $(CONSTRAINTS)
	$(INSTALL) -r requirements-dev.txt -c $(CONSTRAINTS)
	@touch $@

$(VENV)/runtime-gpu: $(VENV)/runtime requirements-gpu.txt
	$(INSTALL) -r requirements-gpu.txt -c $(CONSTRAINTS)
	@touch $@

$(VENV)/runtime: $(REQUIREMENTS) $(CONSTRAINTS)
	@for python in $(FIND); do \
	  if $$python -c "$(CHECK)" 2>/dev/null; then \
	    echo "Setting up $(VENV) with $$($$python --version); it takes a minute or two and 2.1 GB,"; \
	    echo "of which TensorFlow is 1.8."; \
	    $$python -m venv $(VENV) && break; \
	  fi; \
	done; \
	test -x $(PYTHON) || { \
	  echo "No Python between $(OLDEST) and $(NEWEST) found. Install one, or make FIND=path/to/python"; \
	  exit 1; }
	$(INSTALL) -r $(REQUIREMENTS) -c $(CONSTRAINTS)
	@touch $@
