#!/usr/bin/env bash
# The main job, for real, in a folder of its own: keys are made, found and used
# by pkcs11-tool and OpenSSL in a token that lies encrypted on disk.
set -euo pipefail
cd "$(dirname "$0")/.."
lib=$PWD/build/libcoffer.so
coffer=$PWD/build/coffer

work=$(mktemp -d)
server=
finish() {
  status=$?
  [ -z "$server" ] || kill "$server" 2>/dev/null || true
  if [ $status != 0 ]; then
    echo "the demo failed in step $step; the last command said:" >&2
    tail -n 20 "$work/out" >&2 || true
  fi
  rm -rf "$work"
}
trap finish EXIT
cd "$work"
export COFFER_STORE=$work/store
so_pin=87654321 pin=2468 # of a token that this script throws away

step=0
say() { step=$((step + 1)); printf '\n%2d. %s\n' "$step" "$*"; }
fact() { printf '    %s\n' "$*"; }
tool() { pkcs11-tool --module "$lib" --token-label demo "$@"; }
user() { tool --login --pin "$pin" "$@"; }
# OpenSSL finds the module through its engine, configured here and nowhere else.
cat > openssl.cnf <<EOF
openssl_conf = init
[init]
engines = engines
[engines]
pkcs11 = pkcs11
[pkcs11]
MODULE_PATH = $lib
PIN = $pin
init = 0
[req]
distinguished_name = name
[name]
EOF
ssl() { OPENSSL_CONF=$work/openssl.cnf openssl "$@"; }
uri='pkcs11:token=demo;object=server;type=private'

say "A token is initialised with pkcs11-tool, in the one slot that is always free."
pkcs11-tool --module "$lib" --init-token --slot-index 0 --label demo --so-pin "$so_pin" >out 2>&1
tool --login --login-type so --so-pin "$so_pin" --init-pin --new-pin "$pin" >>out 2>&1
fact "$("$coffer" token list | tail -n 1)"

say "RSA, EC and AES keys are generated inside the token."
user --keypairgen --key-type rsa:2048 --label code --id 01 >out 2>&1
user --keypairgen --key-type EC:prime256v1 --label server --id 02 >>out 2>&1
user --keygen --key-type AES:32 --label wrapper --id 03 --usage-wrap --private --sensitive >>out 2>&1
user --keygen --key-type AES:16 --label data --id 04 --usage-decrypt --private --sensitive --extractable >>out 2>&1
user --list-objects 2>/dev/null | grep -E '^(Private|Public|Secret)' | sort | uniq -c | while read -r line; do fact "$line"; done

say "pkcs11-tool signs with the RSA key, OpenSSL verifies with the public half."
echo "what is signed" > message
user --sign --mechanism SHA256-RSA-PKCS --id 01 --input-file message --output-file signature >out 2>&1
tool --read-object --type pubkey --id 01 --output-file code.der >>out 2>&1
openssl pkey -pubin -inform DER -in code.der -out code.pem
fact "$(openssl dgst -sha256 -verify code.pem -signature signature message)"

say "OpenSSL makes a self-signed certificate; the EC key signs it without leaving the token."
ssl req -new -x509 -engine pkcs11 -keyform engine -key "$uri" -subj /CN=localhost -days 1 -out server.pem >out 2>&1
fact "$(openssl x509 -in server.pem -noout -subject -ext subjectKeyIdentifier | head -n 1), $(openssl verify -CAfile server.pem server.pem)"

say "A TLS 1.3 server does its handshake with the key in the token."
port=$((20000 + RANDOM % 20000))
OPENSSL_CONF=$work/openssl.cnf openssl s_server -engine pkcs11 -keyform engine -key "$uri" -cert server.pem -accept "127.0.0.1:$port" -www -quiet >server.log 2>&1 &
server=$!
for _ in $(seq 100); do
  if (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then break; fi
  kill -0 "$server" 2>/dev/null || { cat server.log >&2; exit 1; }
  sleep 0.1
done
openssl s_client -connect "127.0.0.1:$port" -tls1_3 -CAfile server.pem -verify_return_error </dev/null >client.log 2>&1
kill "$server"; wait "$server" 2>/dev/null || true; server=
fact "$(grep -m1 -E '^New, TLSv1.3' client.log)"
fact "$(grep -m1 'Verify return code' client.log | sed 's/^ *//')"

say "A key is wrapped with another, destroyed, and unwrapped again."
head -c 64 /dev/urandom > plain
iv=000102030405060708090a0b0c0d0e0f
user --encrypt --mechanism AES-CBC-PAD --iv $iv --id 04 --input-file plain --output-file cipher >out 2>&1
user --wrap --mechanism AES-CBC-PAD --iv $iv --id 03 --application-id 04 --output-file wrapped >>out 2>&1
fact "wrapped: $(od -An -tx1 wrapped | tr -d ' \n')"
user --delete-object --type secrkey --id 04 >>out 2>&1
user --unwrap --mechanism AES-CBC-PAD --iv $iv --id 03 --input-file wrapped --key-type AES: --application-id 05 --application-label data --private >>out 2>&1
user --decrypt --mechanism AES-CBC-PAD --iv $iv --id 05 --input-file cipher --output-file again >>out 2>&1
cmp plain again
fact "the unwrapped key decrypts what the first one encrypted"

say "A sensitive key cannot be read, not even by its owner."
if user --read-object --type secrkey --id 03 --output-file stolen >out 2>&1 && [ -s stolen ]; then
  echo "the key was read" >&2
  exit 1
fi
fact "$(grep -m1 -oE 'CKR_[A-Z_]+|error: .*' out || tail -n 1 out)"

say "On disk there is ciphertext only."
fact "$(find store -type f | wc -l) files, $(du -sh store | cut -f1)"
for secret in "$pin" "$so_pin" wrapper; do
  if grep -rqaF -- "$secret" store; then
    echo "\"$secret\" is in the store in the clear" >&2
    exit 1
  fi
done
fact "neither a PIN nor the label of a private key is in them; a piece of them:"
find store -type f -exec cat {} + | tr -d '\000' > bytes
od -An -tx1 -j 3000 -N 48 bytes | while read -r line; do fact "$line"; done

printf '\nDone, with coffer %s.\n' "$("$coffer" version | head -n 1)"
