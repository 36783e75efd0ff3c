#!/usr/bin/env bash
# Installs, with apt-get, what the targets named as arguments need and this
# machine lacks. Does nothing, quickly, when all is there.
set -euo pipefail

missing=()
need() { # need COMMAND-OR-FILE PACKAGE
  case $1 in
    /*) compgen -G "$1" >/dev/null || missing+=("$2") ;;
    *) command -v "$1" >/dev/null || missing+=("$2") ;;
  esac
}

for target in "$@"; do
  case $target in
    build)
      need gcc gcc
      need /usr/include/stdio.h libc6-dev
      ;;
    demo)
      need openssl openssl
      need pkcs11-tool opensc
      need '/usr/lib/*/engines-3/pkcs11.so' libengine-pkcs11-openssl
      ;;
    test)
      need javac default-jdk-headless
      need git git
      need strace strace
      # The hosts of tests/hosts.
      need /usr/sbin/sshd openssh-server
      need gnutls-serv gnutls-bin
      need p11-kit p11-kit
      need '/usr/lib/*/pkcs11/p11-kit-client.so' p11-kit-modules
      need certutil libnss3-tools
      need /usr/lib/python3/dist-packages/PyKCS11 python3-pykcs11
      need ods-hsmspeed libhsm-bin
      need /usr/sbin/nginx nginx
      need /usr/sbin/apache2 apache2-bin
      need npm npm
      need g++ g++
      ;;
    bench)
      need /usr/lib/softhsm/libsofthsm2.so softhsm2
      need '/usr/lib/*/pkcs11/libopencryptoki.so' opencryptoki
      need '/usr/lib/*/libsoftokn3.so' libnss3
      need /usr/include/openssl/evp.h libssl-dev
      ;;
    *)
      echo "setup.sh: unknown target $target" >&2
      exit 2
      ;;
  esac
done

if [ ${#missing[@]} -gt 0 ]; then
  echo "installing ${missing[*]}" >&2
  sudo=
  [ "$(id -u)" = 0 ] || sudo=sudo
  export DEBIAN_FRONTEND=noninteractive
  # The tests start servers of their own; this machine is not to run them.
  policy=/usr/sbin/policy-rc.d
  if [ ! -e $policy ]; then
    printf '#!/bin/sh\nexit 101\n' | $sudo tee $policy >/dev/null
    $sudo chmod 755 $policy
    trap '$sudo rm -f $policy' EXIT
  fi
  $sudo apt-get update -qq
  $sudo apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
  if [ -d /run/systemd/system ]; then
    for package in "${missing[@]}"; do
      case $package in
        nginx) $sudo systemctl disable --quiet nginx ;;
        opencryptoki) $sudo systemctl disable --quiet pkcsslotd ;;
        openssh-server) $sudo systemctl disable --quiet ssh ;;
      esac
    done
  fi
fi

if ! command -v go >/dev/null; then
  echo "coffer is built with Go 1.26 or newer (any Go from 1.21 on fetches it by itself): https://go.dev/dl" >&2
  exit 1
fi
