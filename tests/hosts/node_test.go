package hosts

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"coffer/tests/built"
)

// TestNodeWorkers has worker threads of Node use the token through pkcs11js
// 2.1.7, which is an addon in C++ from the npm registry.
func TestNodeWorkers(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	node := built.Need(t, "node", "nodejs")
	program, err := filepath.Abs("testdata/node/workers.js")
	if err != nil {
		t.Fatal(err)
	}
	b = b.with("MODULES=" + pkcs11js(b, node))
	const workers, rounds = 8, 60
	b.contains(b.run(node, program, b.lib, pin), fmt.Sprintf("signatures %d\n", workers*rounds*4), "ok\n")
}

// pkcs11js installs the addon beside the built library, once for a checkout,
// and returns the folder of modules that it is in.
func pkcs11js(b *bench, node string) string {
	b.t.Helper()
	root, err := built.Root()
	if err != nil {
		b.t.Fatal(err)
	}
	dir := filepath.Join(root, "build", "test", "node")
	modules := filepath.Join(dir, "node_modules")
	addon := filepath.Join(modules, "pkcs11js", "build", "Release", "pkcs11.node")
	if _, err := os.Stat(addon); err == nil && b.in(b.t).try(node, "-e", "require(process.argv[1])", addon).err == nil {
		return modules
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		b.t.Fatal(err)
	}
	for _, name := range []string{"package.json", "package-lock.json"} {
		data, err := os.ReadFile(filepath.Join("testdata", "node", name))
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, name), data, 0o644)
		}
		if err != nil {
			b.t.Fatal(err)
		}
	}
	// The real home, where npm has its settings and its cache.
	env := []string{"HOME=" + os.Getenv("HOME")}
	// Node's headers, if they are installed; else node-gyp fetches them.
	if real, err := filepath.EvalSymlinks(node); err == nil {
		prefix := filepath.Dir(filepath.Dir(real))
		if _, err := os.Stat(filepath.Join(prefix, "include", "node", "node_api.h")); err == nil {
			env = append(env, "npm_config_nodedir="+prefix)
		}
	}
	npm := b.with(env...)
	npm.dir = dir
	if r := npm.try(built.Need(b.t, "npm", "npm"), "ci", "--no-audit", "--no-fund"); r.err != nil {
		built.Missing(b.t, "npm cannot install pkcs11js:\n"+r.all())
	}
	if _, err := os.Stat(addon); err != nil {
		built.Missing(b.t, "npm has installed pkcs11js and not built it")
	}
	return modules
}
