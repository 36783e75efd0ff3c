#!/usr/bin/env bash
# Measures coffer beside SoftHSM2, openCryptoki and NSS (installed from Debian's packages where they are
# missing), beside Go's bare standard library and OpenSSL's libcrypto. Options go to the driver; -h lists them.
set -euo pipefail
cd "$(dirname "$0")/.."

tests/setup.sh build bench >&2 || echo 'bench: not every peer can be installed: what is not there is not measured' >&2

# The driver is built, not `go run`: its exit code is the script's.
driver=$(mktemp -d)
trap 'rm -rf "$driver"' EXIT
go build -o "$driver/bench" ./bench
"$driver/bench" "$@"
