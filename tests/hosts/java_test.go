package hosts

import (
	"fmt"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"

	"coffer/tests/built"
)

// TestJava has 200 threads of a JVM sign while pkcs11-tool makes and destroys
// objects in the same token.
func TestJava(t *testing.T) {
	t.Parallel()
	java, javac := built.Need(t, "java", "default-jdk-headless"), built.Need(t, "javac", "default-jdk-headless")
	// 200 threads on two cores leave little time to the goroutines that serve
	// pkcs11-tool; the default of 2s is met nearly always, and in CI that is too
	// seldom.
	b := newBench(t, "COFFER_STORE_LOCK_WAIT=20s")
	source, err := filepath.Abs("testdata/java/Load.java")
	if err != nil {
		t.Fatal(err)
	}
	b.run(javac, "-d", b.dir, source)
	b.write("coffer.cfg", fmt.Sprintf("name = coffer\nlibrary = %s\nslotListIndex = 0\n", b.lib))
	s := b.start(java, "-Xmx256m", "-cp", b.dir, "Load", b.path("stop"), pin)
	s.says("signing")

	const rounds = 6
	for i := range rounds {
		id := fmt.Sprintf("a%d", i)
		b.user("--keypairgen", "--key-type", "EC:prime256v1", "--id", id, "--label", id)
		b.user("--keygen", "--key-type", "AES:32", "--id", id, "--label", "aes "+id)
		b.contains(b.user("--list-objects"), id, "aes "+id)
		b.user("--delete-object", "--type", "privkey", "--id", id)
		b.user("--delete-object", "--type", "pubkey", "--id", id)
		if i < rounds-1 {
			b.user("--delete-object", "--type", "secrkey", "--id", id)
		}
		if s.ended() {
			t.Fatalf("the JVM has ended:\n%s", s.out)
		}
	}
	b.write("stop", "")
	s.says("signatures ")
	s.wait("end", s.ended)
	if !s.cmd.ProcessState.Success() {
		t.Errorf("%v\n%s", s.cmd.ProcessState, s.out)
	}
	// Of all that pkcs11-tool has made, one key is left.
	b.contains(s.out.String(), fmt.Sprintf("aliases [aes a%d]\n", rounds-1))
	made := regexp.MustCompile(`signatures (\d+)`).FindStringSubmatch(s.out.String())
	if n, _ := strconv.Atoi(made[1]); n < 200*20 {
		t.Errorf("%d signatures", n)
	} else {
		t.Logf("%d signatures beside %d calls of pkcs11-tool", n, rounds*6-1)
	}
}
