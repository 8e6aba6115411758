#!/usr/bin/env bash
# PostTrain's tasks: ./build.sh demo | test | golden [DIR] | build | bench [--json FILE] | pack | format
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
export DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1 DOTNET_SKIP_FIRST_TIME_EXPERIENCE=1
configuration=${CONFIGURATION:-Release}

fail() { echo "build.sh: $*" >&2; exit 1; }

# Installs what the native part needs and the machine lacks; everything else comes with the .NET SDK and NuGet.
setup() {
  command -v dotnet >/dev/null || fail "the .NET 10 SDK is missing: install it and put dotnet on PATH"
  [ "$(dotnet --version | cut -d. -f1)" -ge 10 ] || fail "the .NET SDK here is $(dotnet --version), expected 10 or later"
  local missing=()
  command -v "${CXX:-g++}" >/dev/null || missing+=(g++)
  if [ -z "${LIBTORCH:-}" ]; then
    [ -f /usr/include/torch/csrc/api/include/torch/version.h ] || missing+=(libtorch-dev)
    # The reference BLAS is many times slower, and a build of OpenBLAS with threads of its own fights libtorch's.
    compgen -G '/usr/lib/*/openblas-openmp/libblas.so.3' >/dev/null || missing+=(libopenblas0-openmp)
  elif [ ! -f "$LIBTORCH/include/torch/csrc/api/include/torch/version.h" ]; then
    fail "LIBTORCH is $LIBTORCH, expected the root of an unpacked libtorch (include/, lib/)"
  fi
  [ ${#missing[@]} -eq 0 ] && return
  local advice="install these packages and run again: ${missing[*]}" root=()
  command -v apt-get >/dev/null || fail "$advice"
  if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || fail "$advice"
    root=(sudo)
  fi
  echo "installing ${missing[*]}"
  local log
  log=$(mktemp)
  { "${root[@]}" apt-get update && "${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "${missing[@]}"; } >"$log" 2>&1 ||
    fail "apt-get failed (see $log); $advice"
  rm -f "$log"
}

build() {
  setup
  dotnet build PostTrain.sln -c "$configuration" -v quiet -nologo --tl:off "$@"
}

# Runs every test project and ends with one line that counts all of them.
run_tests() {
  build
  local log passed=0 failed=0 skipped=0 status=0
  log=$(mktemp)
  for project in tests/*/*.csproj; do
    : >"$log"
    # A test that stands still is named and fails the run.
    dotnet test "$project" -c "$configuration" --no-build -nologo --tl:off --blame-hang-timeout 10m --blame-hang-dump-type none "$@" 2>&1 | tee "$log" || status=1
    # "Passed!  - Failed:     0, Passed:    12, Skipped:     0, Total:    12"
    if read -r f p s < <(sed -nE 's/.*Failed: +([0-9]+), Passed: +([0-9]+), Skipped: +([0-9]+), Total.*/\1 \2 \3/p' "$log" | tail -n 1); then
      failed=$((failed + f)) passed=$((passed + p)) skipped=$((skipped + s))
    elif ! grep -q 'No test matches' "$log"; then
      echo "build.sh: $project ended without a result" >&2
      failed=$((failed + 1))
    fi
    grep -q 'Test Run Aborted\|test host process crashed' "$log" && failed=$((failed + 1))
  done
  rm -f "$log"
  [ "$failed" -eq 0 ] && [ "$status" -ne 0 ] && failed=1
  local line="$passed passed, $failed failed"
  [ "$skipped" -gt 0 ] && line="$line, $skipped skipped"
  echo "$line"
  [ "$failed" -eq 0 ]
}

# Runs all golden cases of a directory (by default tests/golden): a line a file, then the total.
golden() {
  build >/dev/null
  [ $# -eq 0 ] || export POSTTRAIN_GOLDEN=$(cd "$1" && pwd)
  dotnet test tests/PostTrain.Tests -c "$configuration" --no-build -nologo --tl:off --filter "FullyQualifiedName~GoldenTests" \
    --logger "console;verbosity=normal" 2>&1 |
    awk -F'"' '/^ +(Passed|Failed) .*\(area: "/ { all[$2]++; total++; if ($0 ~ /^ +Passed/) { good[$2]++; passed++ } else print }
      END { for (name in all) printf "%s %d/%d\n", name, good[name], all[name] | "sort"; close("sort")
            printf "total %d/%d\n", passed, total; exit passed != total || total == 0 }'
}

# Properties (-p:...) hold for building, too: the packages hold what was built with them.
pack() {
  local argument properties=()
  for argument in "$@"; do if [[ $argument == -p:* ]]; then properties+=("$argument"); fi; done
  build "${properties[@]}"
  dotnet pack PostTrain.sln -c "$configuration" --no-build -o artifacts/packages -v quiet -nologo "$@"
}

case "${1:-}" in
  demo) shift; build; dotnet run --no-cache -c "$configuration" samples/r1-zero.cs -- --output artifacts/demo "$@" ;;
  test) shift; run_tests "$@" ;;
  golden) shift; golden "$@" ;;
  build) shift; build "$@" ;;
  bench) shift; build; dotnet run -c "$configuration" --no-build --project benchmarks/PostTrain.Benchmarks -- "$@" ;;
  pack) shift; pack "$@" ;;
  format) shift; setup; dotnet format PostTrain.sln --no-restore --exclude-diagnostics CA1707 "$@" ;;
  *) sed -n '2p' "$0" | cut -c3-; exit 2 ;;
esac
