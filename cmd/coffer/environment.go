package main

import (
	"fmt"
	"slices"
	"strings"
)

// environment returns env for the command: with what leads to the token, and
// without what the user has set for tokens of his own.
func (e *ephemeral) environment(env []string) []string {
	set := []string{
		"COFFER_STORE=" + e.store,
		"COFFER_MODULE=" + e.module,
		"PKCS11_MODULE=" + e.module,
		"PKCS11_MODULE_PATH=" + e.module,     // libp11
		"PKCS11_PROVIDER_MODULE=" + e.module, // pkcs11-provider
		"COFFER_PIN=" + string(e.user),
		"COFFER_SO_PIN=" + string(e.so),
		"COFFER_TOKEN_LABEL=" + e.label,
		fmt.Sprintf("COFFER_SLOT=%d", e.slot),
		fmt.Sprintf("COFFER_PIN_ARGON2_MEMORY=%d", cheapArgon2.MemoryKiB),
		fmt.Sprintf("COFFER_PIN_ARGON2_TIME=%d", cheapArgon2.Time),
		"COFFER_PIN_DELAY=0s",
	}
	out := slices.DeleteFunc(slices.Clone(env), func(v string) bool {
		name, _, _ := strings.Cut(v, "=")
		if name == "COFFER_LOG" || name == "COFFER_LOG_FILE" {
			return false
		}
		return strings.HasPrefix(name, "COFFER_") ||
			slices.ContainsFunc(set, func(s string) bool { return strings.HasPrefix(s, name+"=") })
	})
	return append(out, set...)
}
