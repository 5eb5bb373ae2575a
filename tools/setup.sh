#!/bin/sh
# Makes .venv: the locked dependencies (hash-checked) and the four distributions, editable.
# Run by `make setup`; says what is missing and what to do about it.
set -eu
cd "$(dirname "$0")/.."
python=${PYTHON:-python3}

fail() {
  printf 'setup: %s\n' "$@" >&2
  exit 1
}

command -v "$python" >/dev/null 2>&1 ||
  fail "'$python' was not found. Stoker needs Python 3.11 or newer:" \
    "  Debian/Ubuntu: apt-get install python3 python3-venv    macOS: brew install python" \
    "  or name one:   make setup PYTHON=/path/to/python3.12"
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
  fail "'$python' is $("$python" -V 2>&1), but Stoker needs Python 3.11 or newer." \
    "  Name a newer one: make setup PYTHON=/path/to/python3.12"
"$python" -c 'import ensurepip, venv' 2>/dev/null ||
  fail "'$python' cannot make virtual environments." "  Debian/Ubuntu: apt-get install python3-venv"

echo "setup: making .venv with $("$python" -V) (about a minute the first time)"
"$python" -m venv --clear .venv
if ! .venv/bin/pip install --quiet --disable-pip-version-check --require-hashes \
  -r requirements/dev.txt; then
  command -v cc >/dev/null 2>&1 ||
    fail "the dependencies could not be installed, and there is no C compiler: a platform" \
      "without ready-made wheels builds them. Debian/Ubuntu: apt-get install build-essential"
  fail "the dependencies could not be installed; the lines above say why." \
    "  Behind a proxy or a mirror, configure pip as usual (PIP_INDEX_URL, pip.conf)."
fi
.venv/bin/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation \
  -e crds -e operator -e sidecar -e tests/simulator
touch .venv/.complete
echo "setup: done; .venv/bin/stoker is ready"
