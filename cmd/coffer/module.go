package main

import (
	"os"
	"path/filepath"

	"coffer/p11"
)

const library = "libcoffer.so"

// libraryFolders are where the library is looked for: as it was built or
// unpacked, as it is installed with this command, and as it is installed by
// default.
var libraryFolders = []string{".", "../lib", "../lib/pkcs11", "/usr/local/lib/pkcs11", "/usr/local/lib", "/usr/lib/pkcs11"}

// findModule returns the absolute path of the library: that which
// COFFER_MODULE names, or the first that is found. own is where this command
// lies.
func findModule(own string, getenv func(string) (string, bool)) (string, error) {
	if named, ok := getenv("COFFER_MODULE"); ok && named != "" {
		path, err := filepath.Abs(named)
		if err == nil {
			_, err = os.Stat(path)
		}
		if err != nil {
			return "", p11.Errorf(p11.CKR_GENERAL_ERROR, "COFFER_MODULE: %w", err)
		}
		return path, nil
	}
	own, err := filepath.EvalSymlinks(own)
	if err != nil {
		return "", p11.Errorf(p11.CKR_GENERAL_ERROR, "looking for %s beside coffer: %w", library, err)
	}
	for _, dir := range libraryFolders {
		if !filepath.IsAbs(dir) {
			dir = filepath.Join(filepath.Dir(own), dir)
		}
		path := filepath.Join(dir, library)
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() {
			return path, nil
		}
	}
	return "", p11.Errorf(p11.CKR_GENERAL_ERROR, "%s is neither beside %s nor in ../lib, ../lib/pkcs11 or /usr/local/lib; let COFFER_MODULE name it", library, own)
}
