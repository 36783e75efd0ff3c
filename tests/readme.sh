#!/usr/bin/env bash
# Writes the table of mechanisms into the README, and docs/MECHANISMS.md.
set -euo pipefail
cd "$(dirname "$0")/.."
table=$(build/coffer mechanism list --markdown)
awk -v table="$table" '
  /<!-- mechanisms -->/ { print; print table; skip = 1; next }
  /<!-- \/mechanisms -->/ { skip = 0 }
  !skip { print }
' README.md > README.md.new
mv README.md.new README.md
# docs/MECHANISMS.md has the same and more.
go test -count=1 ./tests -run '^TestMechanismsPage$' -update
