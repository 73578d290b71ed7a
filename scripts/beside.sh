#!/bin/sh
# beside.sh ASIDE COMMAND: runs both at once. What ASIDE says is shown when COMMAND has ended. Fails where one fails.
set -eu
said=$(mktemp)
sh -c "exec $1" >"$said" 2>&1 &
aside=$!
trap 'kill "$aside" 2>/dev/null || true; rm -f "$said"' EXIT
trap 'exit 130' INT TERM

failed=0
sh -c "$2" || failed=$?
wait "$aside" || failed=$?
cat "$said"
exit "$failed"
