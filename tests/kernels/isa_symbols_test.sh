#!/bin/sh
# Usage: isa_symbols_test.sh OBJECT...: object files that were compiled for an instruction set of their own. They may define no symbol that the
# linker merges with another file's (inline functions, templates): it could keep their copy and so run AVX-512 on a machine that has none.
status=0
for object in "$@"; do
  merged=$(nm -C --defined-only "$object" | grep -E '^[0-9a-f]* [WVu] ')
  if [ -n "$merged" ]; then
    printf '%s defines symbols that the linker may merge:\n%s\n' "$object" "$merged"
    status=1
  fi
done
[ $# -gt 0 ] || { echo "no object files"; status=1; }
exit $status
