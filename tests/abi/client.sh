#!/usr/bin/env bash
# client.sh BUILD SOURCE OUTPUT EXPECTED COMPILER [FLAG...]: compiles a client of the library in BUILD with any compiler
# and runs it; it must say EXPECTED.
set -euo pipefail
build="$1" source="$2" output="$3" expected="$4"
shift 4
here="$(cd "$(dirname "$0")/../.." && pwd)"
"$@" -Wall -Wextra -Werror -I "$here/include" "$source" -o "$output" -L "$build/lib" -lisocenter -pthread \
  -Wl,-rpath,"$build/lib"
said="$("$output")"
printf '%s\n' "$said"
[[ "$said" == *"$expected"* ]]
