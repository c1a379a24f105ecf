# make run    set up what is missing, build, and serve a model at http://127.0.0.1:8080
# make test   set up what is missing, build, and run every test
# make build  only the binary, at build/hussar
# make build CUDA=1 builds with support for NVIDIA GPUs as well; needs nvcc 12.8 or newer to build, and only the driver to run.
# Variables: MODEL (a GGUF file, a model folder, or a name as `hussar pull` takes it), HOST, PORT, JOBS, SERVE_FLAGS, PULL_FLAGS.
MODEL ?= build/models/smollm2-135m-instruct-q4_1.gguf
HOST ?= 127.0.0.1
PORT ?= 8080
JOBS ?= $(shell nproc)
SERVE_FLAGS ?=
CUDA ?=
export CUDA
PULL_FLAGS ?=

.PHONY: run test test-long build setup bench format clean
.NOTPARALLEL:

setup:
	@tools/setup run

build: setup
	@tools/build release hussar

run: build
	@[ -e '$(MODEL)' ] || build/hussar pull '$(MODEL)' $(PULL_FLAGS)
	@exec build/hussar serve --model '$(MODEL)' --host $(HOST) --port $(PORT) $(SERVE_FLAGS)

test:
	@tools/setup test
	@tools/run_tests

# What takes too long or needs too much for every change: long fuzzing, the real models' comparison runs, pages in a browser.
test-long:
	@tools/setup long
	@tools/run_tests --long

format:
	@clang-format -i $$(git ls-files '*.cc' '*.h' '*.cu' '*.cuh')

clean:
	@rm -rf build
