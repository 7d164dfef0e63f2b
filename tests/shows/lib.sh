# Shared by shows written in shell: `. "$(dirname "$0")/lib.sh"` as the first line of the script.
# shellcheck shell=bash
set -euo pipefail

TREE=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
: "${OUT:=$TREE/out}" "${BUILD:=$TREE/build/dev}"
: "${TELLTALE_DATA:=$(realpath -m "$TREE/../shared/data")}"
export OUT BUILD TELLTALE_DATA
TELLTALE=$BUILD/bin/telltale

step() { printf '%s\n' "$*"; }

fail() {
  printf 'failed: %s\n' "$*" >&2
  exit 1
}

skip() {
  printf 'skipped: %s\n' "$*"
  exit 77
}

# A part that is not there is a failure, never a skip.
need_program() { [ -x "$1" ] || fail "there is no $1"; }

# A folder that is gone when the show ends, however it ends: name it once.
temporary_folder() {
  WORK=$(mktemp -d /tmp/telltale-show.XXXXXX)
  trap 'rm -rf "$WORK"' EXIT
}
