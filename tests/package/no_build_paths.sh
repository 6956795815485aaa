#!/usr/bin/env bash
# no_build_paths.sh PREFIX BUILD: nothing that was installed looks for libraries in the build tree, and the package's
# own files do not name it.
set -euo pipefail
prefix="$1" build="$2"
bad=0
while IFS= read -r -d '' file; do
  if readelf -d "$file" 2>/dev/null | grep -E 'R(UN)?PATH' | grep -F "$build"; then
    printf '%s looks for libraries in the build tree\n' "$file" >&2
    bad=1
  fi
done < <(find "$prefix" -type f \( -name '*.so*' -o -perm -u+x \) -print0)
if grep -rlF "$build/" "$prefix" --include='*.cmake' --include='*.h' --include='*.hpp' | grep -vF "$prefix/none"; then
  printf 'the files above name the build tree\n' >&2
  bad=1
fi
exit "$bad"
