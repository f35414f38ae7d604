# step.sh TEXT COMMAND...: says what is done and, in the end, how long it took. Meanwhile a terminal has the seconds so far,
# and anything else a line of them now and then (STEP_EVERY seconds). What the command prints is shown only where it fails,
# and then all of it; but for its warnings, lines that begin so.
text=$1
shift
if [ -t 1 ]; then every=1 again="\r$text ... " after=' s '; else every=${STEP_EVERY:-30} again='' after=' s\n  ... '; fi
output=$(mktemp) || exit 1
ticking=
trap 'rm -f "$output"; [ -z "$ticking" ] || kill "$ticking" 2>/dev/null' EXIT
began=$(date +%s)
seconds() { echo $(($(date +%s) - began)); }
tick() {
  trap 'kill -9 $! 2>/dev/null; exit' TERM # SIGKILL alone cannot be lost
  while kill -0 $$ 2>/dev/null; do
    sleep "$every" >/dev/null 2>&1 &
    wait $!
    printf "%b%s%b" "$again" "$(seconds)" "$after"
  done
}
if [ -n "$text" ]; then
  printf '%s ... ' "$text"
  tick &
  ticking=$!
fi
# Only now: a shell that forks while it has a trap can lose a signal in the child, which would then go on.
trap 'exit 130' INT
trap 'exit 143' TERM
"$@" >"$output" 2>&1 </dev/null
code=$?
if [ -n "$ticking" ]; then
  kill "$ticking"
  wait "$ticking" 2>/dev/null # else the shell says that it was terminated
  ticking=
  [ ! -t 1 ] || printf '\r%s ... ' "$text"
fi
if [ "$code" -eq 0 ]; then
  [ -z "$text" ] || echo "done ($(seconds) s)"
  awk '/^warning: / && !seen[$0]++' "$output" >&2
else
  [ -z "$text" ] || echo "failed"
  cat "$output" >&2
fi
exit "$code"
