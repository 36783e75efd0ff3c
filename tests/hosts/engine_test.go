package hosts

import (
	"fmt"
	"path/filepath"

	"coffer/tests/built"
)

// engine returns the bench with a configuration of OpenSSL in which libp11's
// engine (libengine-pkcs11-openssl 0.4.12) knows the token.
//
// init says who initialises it: 0 the application, as the openssl command does,
// 1 OpenSSL, when it reads its configuration, for those that do not, as nginx.
func (b *bench) engine(init int) *bench {
	b.t.Helper()
	if found, _ := filepath.Glob("/usr/lib/*/engines-3/pkcs11.so"); len(found) == 0 {
		built.Missing(b.t, "OpenSSL's engine pkcs11 is not installed (Debian package libengine-pkcs11-openssl)")
	}
	b.write("engine.cnf", fmt.Sprintf(`openssl_conf = init
[init]
engines = engines
[engines]
pkcs11 = pkcs11
[pkcs11]
MODULE_PATH = %s
PIN = %s
init = %d
`, b.lib, pin, init)+opensslConfig)
	return b.with("OPENSSL_CONF=" + b.path("engine.cnf"))
}
