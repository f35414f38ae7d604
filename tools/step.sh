# step.sh TEXT COMMAND...: says what is done and, in the end, how long it took. What the command prints is shown only
# where it fails, and then all of it; but for its warnings, lines that begin so.
text=$1
shift
output=$(mktemp) || exit 1
trap 'rm -f "$output"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
began=$(date +%s)
[ -z "$text" ] || printf '%s ... ' "$text"
"$@" >"$output" 2>&1 </dev/null
code=$?
if [ "$code" -eq 0 ]; then
  [ -z "$text" ] || echo "done ($(($(date +%s) - began)) s)"
  grep '^warning: ' "$output" >&2
else
  [ -z "$text" ] || echo "failed"
  cat "$output" >&2
fi
exit "$code"
