# Makes /opt/stoker, the virtual environment of an image, complete (Dockerfile):
#   finish.sh PROGRAM SOURCE...
# Its libraries are there already; the last source is that of the program's own distribution.
set -eu
program=$1
shift
python=/opt/stoker/bin/python3
here=$(dirname "$0")
# Built by pip's own environment, which has what builds, and installed into the other.
/opt/pip/bin/pip wheel --no-deps --no-build-isolation --wheel-dir /tmp/wheels "$@"
/opt/pip/bin/pip --python "$python" install --no-compile --no-deps --no-index /tmp/wheels/*.whl
"$python" -B "$here/prune.py" "$program"
# Not checked at run time: nothing in an image changes, and times differ from build to build. All anew:
# what another step has compiled bears a time.
"$python" -m compileall -q -f --invalidation-mode unchecked-hash /opt/stoker/lib
"$python" -B "$here/sbom.py" "$program" >/opt/stoker/sbom.cdx.json
