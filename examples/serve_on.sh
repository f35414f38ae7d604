#!/bin/sh
# A program that serves on after SIGTERM, for DRAIN_SECONDS (20): sh serve_on.sh PROGRAM ARGUMENT...
# The gateway sends requests until its cache of the tasks has expired. In a Dockerfile: CMD ["sh", "serve_on.sh", ...].
"$@" &
program=$!
trap 'sleep "${DRAIN_SECONDS:-20}"; kill -s TERM "$program"' TERM
wait "$program" # until it ends, or SIGTERM has come and the trap has run
wait "$program"
