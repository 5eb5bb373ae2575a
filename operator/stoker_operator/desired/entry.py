"""What the ollama container runs: Ollama, and the two hands that the sidecar has in there.

The sidecar is another user and can neither signal Ollama nor see its GPUs. So the container itself
writes down which GPUs it was given, and waits on a FIFO for the word to end. It needs nothing but
the POSIX shell that the official image has, and costs nothing while it waits.
"""

from stoker_api.wire import GPUS_FILE, RESTART_FIFO

HANDS_VARIABLE = "STOKER_HANDS"
"""Names the shared directory to the script, which `stoker up` runs elsewhere."""

SCRIPT = f"""\
hands=${HANDS_VARIABLE}
set -- /dev/nvidia[0-9]*
[ -e "$1" ] || set --
printf '%s\\n' "${{NVIDIA_VISIBLE_DEVICES-}}" "$@" >"$hands/{GPUS_FILE}"

rm -f "$hands/{RESTART_FIFO}"
mkfifo -m 0660 "$hands/{RESTART_FIFO}"
ollama serve &
server=$!
# SIGKILL to the process group ends shell, server and runner in one: a stopped process
# heeds no other signal. The kubelet starts the container again. Opened for reading and
# writing, the FIFO never ends and loses no word.
while read -r word; do
  [ "$word" = restart ] && kill -KILL 0
done <>"$hands/{RESTART_FIFO}" &
watcher=$!

told=
trap 'told=1; kill -TERM "$server"' TERM INT
wait "$server"
status=$?
while [ "$told" ]; do # the trap cut the wait short
  told=
  wait "$server"
  status=$?
done
kill "$watcher"
exit "$status"
"""
