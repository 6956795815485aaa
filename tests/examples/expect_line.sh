#!/usr/bin/env bash
# expect_line.sh REGEX PROGRAM [ARGUMENT...]: runs an example; it must exit with 0 and print one line that matches.
# An example that cannot run on this machine exits with 77, says why on one line, and is passed on as it is.
set -uo pipefail
expected="$1"
shift
said="$("$@")"
code=$?
printf '%s\n' "$said"
if ((code != 0)); then exit "$code"; fi
if (($(wc -l <<<"$said") != 1)) || ! [[ "$said" =~ $expected ]]; then
  printf 'expected one line that matches: %s\n' "$expected" >&2
  exit 1
fi
