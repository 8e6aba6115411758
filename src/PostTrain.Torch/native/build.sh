#!/usr/bin/env bash
# Compiles a folder of C++ sources against libtorch: build.sh OUTPUT.so [FOLDER], by default the native entry points beside this script.
# LIBTORCH names the root of an unpacked libtorch (include/, lib/); without it the system's package libtorch-dev is used.
set -euo pipefail
out=$1
objects=() jobs=()
here=${2:-$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)}
mkdir -p "$(dirname "$out")"
# In the form that MSBuild reports as an error of the build.
fail() { echo "PostTrain.Torch : error PT0001: $*" >&2; exit 1; }
command -v "${CXX:-g++}" >/dev/null || fail "the engine's native part is compiled here, and there is no ${CXX:-g++} (Debian, Ubuntu: apt-get install g++)"
flags=(-std=c++17 -O2 -fPIC -fvisibility=hidden -Wall -Wno-sign-compare -Wno-unknown-pragmas)
if [ -n "${LIBTORCH:-}" ]; then
  [ -f "$LIBTORCH/include/torch/csrc/api/include/torch/version.h" ] || fail "LIBTORCH is $LIBTORCH, expected the root of an unpacked libtorch (include/, lib/)"
  flags+=(-isystem "$LIBTORCH/include" -isystem "$LIBTORCH/include/torch/csrc/api/include" -L"$LIBTORCH/lib" -Wl,-rpath,"$LIBTORCH/lib")
else
  [ -f /usr/include/torch/csrc/api/include/torch/version.h ] || fail "libtorch's headers are missing (Debian, Ubuntu: apt-get install libtorch-dev libopenblas0-openmp), and LIBTORCH names no other"
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
