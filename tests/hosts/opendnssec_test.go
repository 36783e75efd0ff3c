package hosts

import (
	"errors"
	"fmt"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"coffer/tests/built"
)

// TestOpenDNSSEC generates zone keys with ods-hsmutil (OpenDNSSEC 2.1.12), has
// it try the token's mechanisms, and signs with 8 threads by ods-hsmspeed.
func TestOpenDNSSEC(t *testing.T) {
	t.Parallel()
	b := newBench(t, "COFFER_POLICY_MINIMUM_RSA=1024") // a ZSK of old
	b.write("conf.xml", fmt.Sprintf(`<?xml version="1.0" encoding="UTF-8"?>
<Configuration>
  <RepositoryList>
    <Repository name="coffer">
      <Module>%s</Module>
      <TokenLabel>%s</TokenLabel>
      <PIN>%s</PIN>
      <SkipPublicKey/>
    </Repository>
  </RepositoryList>
  <Common>
    <Logging><Syslog><Facility>local0</Facility></Syslog></Logging>
    <PolicyFile>%s</PolicyFile>
    <ZoneListFile>%[5]s</ZoneListFile>
  </Common>
  <Enforcer>
    <Datastore><SQLite>%[5]s</SQLite></Datastore>
  </Enforcer>
</Configuration>
`, b.lib, label, pin, b.path("kasp.xml"), b.path("unused")))
	hsm := func(args ...string) string {
		b.t.Helper()
		return b.run(built.Need(t, "ods-hsmutil", "libhsm-bin"), append([]string{"-c", b.path("conf.xml")}, args...)...)
	}
	b.contains(hsm("info"), "Token Label:   "+label, "Manufacturer:  coffer")

	id := regexp.MustCompile(`[0-9a-f]{32}`)
	var keys []string
	// By DNSSEC's numbers: 8 is RSA with SHA-256, 13 P-256, 14 P-384.
	for _, k := range []struct{ kind, size, algorithm string }{
		{"rsa", "2048", "8"}, {"rsa", "1024", "8"}, {"ecdsa", "256", "13"}, {"ecdsa", "384", "14"},
	} {
		out := hsm("generate", "coffer", k.kind, k.size)
		key := id.FindString(out)
		if key == "" {
			t.Fatalf("no key in:\n%s", out)
		}
		keys = append(keys, key)
		b.contains(hsm("dnskey", key, "example.", "257", k.algorithm), "example.", "DNSKEY\t257 3 "+k.algorithm+" ")
	}
	list := hsm("list")
	b.contains(list, keys...)
	b.contains(list, fmt.Sprintf("%d keys found", len(keys)))
	hsmTest(b)

	r := b.try(built.Need(t, "ods-hsmspeed", "libhsm-bin"), "-c", b.path("conf.xml"), "-r", "coffer", "-i", "250", "-s", "2048", "-t", "8")
	if r.err != nil {
		t.Fatalf("%v\n%s", r.err, r.all())
	}
	b.contains(r.all(), "8 threads, 250 signatures per thread", "sig/s")
	t.Log(strings.TrimSpace(r.all()))

	hsm("remove", keys[0])
	if out := hsm("list"); strings.Contains(out, keys[0]) {
		t.Errorf("a removed key is listed:\n%s", out)
	}
}

// hsmTest runs OpenDNSSEC's own test of a token. Its exit status is the number
// of its failures: RSA keys of 512 and 768 bits, DSA and GOST, which coffer has
// not. (What it says of ECDSA lacks "OK" with any token.)
func hsmTest(b *bench) {
	b.t.Helper()
	r := b.try(built.Need(b.t, "ods-hsmutil", "libhsm-bin"), "-c", b.path("conf.xml"), "test", "coffer")
	var exit *exec.ExitError
	if !errors.As(r.err, &exit) || exit.ExitCode() != 6 || strings.Count(r.stdout, "Failed") != 6 {
		b.t.Errorf("not six failures: %v\n%s", r.err, r.all())
	}
	for _, rsa := range []string{"1024", "1536", "2048", "4096"} {
		b.contains(r.stdout, "Generating "+rsa+"-bit RSA key... OK")
	}
	for _, other := range []string{"ECDSA Curve P-256", "ECDSA Curve P-384", "ED25519", "ED448", "1024 bytes of random data"} {
		b.contains(r.stdout, "Generating "+other)
	}
	if n := strings.Count(r.stdout, "Signing (RSA/SHA256) with key... OK"); n != 4 {
		b.t.Errorf("%d signatures of RSA with SHA-256\n%s", n, r.stdout)
	}
}
