package clients

import (
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"coffer/tests/built"
)

// jdk is a program of the JDK, of Debian's default one.
func jdk(t *testing.T, program string) string {
	t.Helper()
	return built.Need(t, program, "default-jdk-headless")
}

// javaConfig is all that SunPKCS11 has to be told, as the README says.
const javaConfig = `name = coffer
library = %s
slotListIndex = 0
`

// javaOpen asks for secret keys that show their values and for EC keys that
// agree: without it coffer gives keys neither.
const javaOpen = javaConfig + `attributes(*,CKO_PRIVATE_KEY,CKK_EC) = {
  CKA_DERIVE = true
}
attributes(*,CKO_SECRET_KEY,*) = {
  CKA_SENSITIVE = false
  CKA_EXTRACTABLE = true
}
`

// javaPrograms are the programs of testdata/java and what each is run with.
var javaPrograms = []struct {
	class, config string
	settings      []string
	flags         []string
	check         func(t *testing.T, out string)
}{
	{class: "Stores", config: javaConfig},
	{class: "Signatures", config: javaConfig, settings: []string{everything}},
	{class: "Ciphers", config: javaOpen, settings: []string{everything}},
	{class: "Secrets", config: javaOpen},
	{class: "Digests", config: javaConfig},
	{class: "Sessions", config: javaConfig},
	{
		class:  "Threads",
		config: javaConfig,
		// The check of JNI reports whose signal handlers are in place.
		flags: []string{"-Xcheck:jni", "-Xss512k", "-XX:CompileCommand=quiet", "-XX:CompileCommand=exclude,Threads::load"},
		check: onlyFaults,
	},
}

func TestJava(t *testing.T) {
	t.Parallel()
	java, javac := jdk(t, "java"), jdk(t, "javac")
	sources, err := filepath.Glob("testdata/java/*.java")
	if err != nil {
		t.Fatal(err)
	}
	classes := t.TempDir()
	here := &bench{t: t}
	here.run(javac, append([]string{"-d", classes}, sources...)...)
	for _, p := range javaPrograms {
		t.Run(p.class, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, p.settings...)
			b.write("coffer.cfg", fmt.Appendf(nil, p.config, b.lib))
			out := b.run(java, append(p.flags, "-Dconfig=coffer.cfg", "-cp", classes, p.class)...)
			if !strings.Contains(out, "\nok ") {
				t.Errorf("%s checked nothing:\n%s", p.class, out)
			}
			if p.check != nil {
				p.check(t, out)
			}
		})
	}
}

// onlyFaults checks which handlers of signals the JVM found to be ours: those
// of faults, which pass a fault of the JVM's own on to it, and no other.
func onlyFaults(t *testing.T, out string) {
	t.Helper()
	for _, m := range regexp.MustCompile(`(SIG\w+): .* in libcoffer`).FindAllStringSubmatch(out, -1) {
		if !slices.Contains([]string{"SIGSEGV", "SIGBUS", "SIGFPE"}, m[1]) {
			t.Errorf("the library keeps the JVM's handler of %s:\n%s", m[1], m[0])
		}
	}
}
