#!/usr/bin/env bash
# Compiles a folder of C++ sources against libtorch: build.sh OUTPUT.so [FOLDER], by default the native entry points beside this script.
# LIBTORCH names the root of an unpacked libtorch (include/, lib/); without it the system's package libtorch-dev is used.
set -euo pipefail
out=$1
objects=() jobs=()
here=${2:-$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)}
mkdir -p "$(dirname "$out")"
flags=(-std=c++17 -O2 -fPIC -fvisibility=hidden -Wall -Wno-sign-compare -Wno-unknown-pragmas)
if [ -n "${LIBTORCH:-}" ]; then
  flags+=(-isystem "$LIBTORCH/include" -isystem "$LIBTORCH/include/torch/csrc/api/include" -L"$LIBTORCH/lib" -Wl,-rpath,"$LIBTORCH/lib")
else
  flags+=(-isystem /usr/include/torch/csrc/api/include)
fi
for source in "$here"/*.cpp; do
  object=$(dirname "$out")/$(basename "${source%.cpp}").o
  "${CXX:-g++}" "${flags[@]}" -c "$source" -o "$object" &
  objects+=("$object") jobs+=($!)
done
for job in "${jobs[@]}"; do wait "$job"; done
"${CXX:-g++}" -shared "${flags[@]}" "${objects[@]}" -o "$out.partial" -ltorch -ltorch_cpu -lc10
mv "$out.partial" "$out"
