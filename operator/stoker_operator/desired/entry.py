"""What the ollama container runs: Ollama, and the two hands that the sidecar has in there.

The sidecar is another user and can neither signal Ollama nor see its GPUs. So the container itself
writes down which GPUs it was given, and waits on a FIFO for a word: to end one runner, or all. It
needs nothing but the POSIX shell that the official image has, and costs nothing while it waits.
"""

from stoker_api.wire import END_WORD, GPUS_FILE, HANDS_FIFO, RESTART_WORD

HANDS_VARIABLE = "STOKER_HANDS"
"""Names the shared directory to the script, which `stoker up` runs elsewhere."""

SCRIPT = f"""\
hands=${HANDS_VARIABLE}
set -- /dev/nvidia[0-9]*
[ -e "$1" ] || set --
printf '%s\\n' "${{NVIDIA_VISIBLE_DEVICES-}}" "$@" >"$hands/{GPUS_FILE}"

rm -f "$hands/{HANDS_FIFO}"
mkfifo -m 0660 "$hands/{HANDS_FIFO}"
ollama serve &
server=$!
# SIGKILL, because a stopped process heeds no other signal. To the process group it ends
# shell, server and runners in one, and the kubelet starts the container again. Opened for
# reading and writing, the FIFO never ends and loses no word.
while read -r word number; do
  case $word-$number in
  {END_WORD}-*[!0-9]* | {END_WORD}- | {END_WORD}-0* | {END_WORD}-1) ;; # no such process
  {END_WORD}-*) kill -KILL "$number" ;;
  {RESTART_WORD}-) kill -KILL 0 ;;
  esac
done <>"$hands/{HANDS_FIFO}" &
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
