#!/usr/bin/env bash
# Measures coffer beside SoftHSM2 (installed from Debian's package if it is missing) and beside Go's bare
# standard library. Options go to the driver; -h lists them.
set -euo pipefail
cd "$(dirname "$0")/.."

installed() { compgen -G '/usr/lib*/softhsm/libsofthsm2.so' || compgen -G '/usr/lib/*/softhsm/libsofthsm2.so' ||
	compgen -G '/usr/lib64/pkcs11/libsofthsm2.so' || compgen -G '/usr/local/lib/softhsm/libsofthsm2.so'; }

if ! installed >/dev/null; then
	root=()
	if [ "$(id -u)" != 0 ]; then root=(sudo -n); fi
	"${root[@]}" apt-get install -y --no-install-recommends softhsm2 >&2 ||
		echo 'bench: softhsm2 cannot be installed: coffer is measured without its peer' >&2
fi

# The driver is built, not `go run`: its exit code is the script's.
driver=$(mktemp -d)
trap 'rm -rf "$driver"' EXIT
go build -o "$driver/bench" ./bench
"$driver/bench" "$@"
