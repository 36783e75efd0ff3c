#!/usr/bin/env bash
# Fails if `go generate` would change a file: generated files are committed
# together with their generator.
set -euo pipefail
cd "$(dirname "$0")/.."
sums() { find . -path ./build -prune -o -path ./.git -prune -o \( -name '*_gen.*' -o -name pkcs11.h \) -type f -print0 | sort -z | xargs -0 sha256sum; }
before=$(sums)
go generate ./...
after=$(sums)
if [ "$before" != "$after" ]; then
  echo "generated files were out of date; commit what go generate made of them:" >&2
  diff <(echo "$before") <(echo "$after") >&2 || true
  exit 1
fi
