package hosts

import (
	"fmt"
	"os"
	"os/user"
	"strings"
	"sync"
	"testing"

	"coffer/tests/built"
)

// OpenSSH (9.2) uses the token's RSA and EC keys in four ways: ssh itself loads
// the library, ssh-agent has ssh-pkcs11-helper load it, and ssh-keygen signs
// files and certificates of a CA.
func TestOpenSSH(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	keygen := built.Need(t, "ssh-keygen", "openssh-client")
	ask := b.script("askpass", "echo "+pin)
	b = b.with("SSH_ASKPASS="+ask, "SSH_ASKPASS_REQUIRE=force", "DISPLAY=:0")
	b.user("--keypairgen", "--key-type", "rsa:2048", "--id", "01", "--label", "rsa")
	b.user("--keypairgen", "--key-type", "EC:prime256v1", "--id", "02", "--label", "p256")
	b.user("--keypairgen", "--key-type", "EC:secp384r1", "--id", "03", "--label", "p384")

	public := b.run(keygen, "-D", b.lib)
	b.contains(public, "ssh-rsa ", " rsa\n", "ecdsa-sha2-nistp256 ", " p256\n", "ecdsa-sha2-nistp384 ", " p384\n")
	for _, line := range strings.Split(strings.TrimSpace(public), "\n") {
		fields := strings.Fields(line)
		b.write(fields[len(fields)-1]+".pub", line+"\n")
	}
	b.write("authorized_keys", public)
	s := startSSHD(b)

	t.Run("ssh loads the library", func(t *testing.T) {
		b := b.in(t)
		for i := range 3 {
			b.contains(s.login(b, "-I", b.lib, fmt.Sprint("echo login ", i)), fmt.Sprint("login ", i))
		}
	})
	t.Run("agent", func(t *testing.T) { agent(b.in(t), s, public) })
	t.Run("CA", func(t *testing.T) {
		b := b.in(t)
		b.run(keygen, "-t", "ed25519", "-N", "", "-q", "-f", "user")
		for _, ca := range []string{"rsa", "p256", "p384"} {
			b.run(keygen, "-D", b.lib, "-s", ca+".pub", "-I", "identity", "-n", s.user, "user.pub")
			b.contains(b.run(keygen, "-L", "-f", "user-cert.pub"), "Signing CA: ", "identity")
			b.write("authorized_keys", "cert-authority "+b.read(ca+".pub"))
			b.contains(s.login(b, "-i", "user", "echo certified"), "certified")
		}
	})
}

// agent tests ssh-agent, which keeps the library loaded in a helper.
func agent(b *bench, s *sshd, public string) {
	add := built.Need(b.t, "ssh-add", "openssh-client")
	socket := b.path("agent")
	// ssh-agent loads only what matches -P.
	a := b.start(built.Need(b.t, "ssh-agent", "openssh-client"), "-D", "-a", socket, "-P", b.lib)
	a.wait("socket", func() bool { _, err := os.Stat(socket); return err == nil })
	b = b.with("SSH_AUTH_SOCK=" + socket)

	b.run(add, "-s", b.lib)
	if got := b.run(add, "-L"); got != public {
		b.t.Errorf("the agent has\n%s\nthe token\n%s", got, public)
	}
	b.run(add, "-T", "rsa.pub", "p256.pub", "p384.pub")
	// Logins at once: their signatures meet in the agent.
	var all sync.WaitGroup
	for i := range 12 {
		all.Go(func() {
			key := []string{"rsa", "p256", "p384"}[i%3] + ".pub"
			b.contains(s.login(b, "-o", "IdentitiesOnly=yes", "-i", key, "id -un"), s.user)
		})
	}
	all.Wait()

	keygen := built.Need(b.t, "ssh-keygen", "openssh-client")
	b.write("message", "a message\n")
	for _, key := range []string{"rsa", "p256", "p384"} {
		b.write("signers", "me "+b.read(key+".pub"))
		os.Remove(b.path("message.sig"))
		b.run(keygen, "-Y", "sign", "-n", "file", "-f", key+".pub", "message")
		b.contains(b.runWith(b.read("message"), keygen, "-Y", "verify", "-n", "file", "-I", "me", "-f", "signers", "-s", "message.sig"), "Good")
	}

	b.run(add, "-e", b.lib)
	if r := b.try(add, "-L"); r.err == nil {
		b.t.Errorf("the agent has keys of a token that was taken from it:\n%s", r.stdout)
	}
	b.run(add, "-s", b.lib)
	b.run(add, "-T", "rsa.pub")
}

// sshd is a server of the test's own that lets in the user who runs the test.
type sshd struct {
	port, user string
}

func startSSHD(b *bench) *sshd {
	b.t.Helper()
	path := "/usr/sbin/sshd"
	if _, err := os.Stat(path); err != nil {
		path = built.Need(b.t, "sshd", "openssh-server")
	}
	me, err := user.Current()
	if err != nil {
		b.t.Fatal(err)
	}
	if isRoot { // sshd's package leaves making this folder to the init system
		if err := os.MkdirAll("/run/sshd", 0o755); err != nil {
			b.t.Fatal(err)
		}
	}
	s := &sshd{port: freePort(b.t), user: me.Username}
	b.run(built.Need(b.t, "ssh-keygen", "openssh-client"), "-t", "ed25519", "-N", "", "-q", "-f", "hostkey")
	b.write("known_hosts", fmt.Sprintf("[127.0.0.1]:%s %s", s.port, b.read("hostkey.pub")))
	b.write("sshd_config", fmt.Sprintf(`ListenAddress 127.0.0.1:%s
HostKey %s
AuthorizedKeysFile %s
AuthenticationMethods publickey
PermitRootLogin prohibit-password
StrictModes no
UsePAM no
PidFile none
MaxStartups 100
LogLevel VERBOSE
`, s.port, b.path("hostkey"), b.path("authorized_keys")))
	b.start(path, "-D", "-e", "-f", b.path("sshd_config")).listens("127.0.0.1:" + s.port)
	return s
}

// login runs a command, the last argument, on the server.
func (s *sshd) login(b *bench, args ...string) string {
	b.t.Helper()
	last := len(args) - 1
	all := append([]string{"-F", "none", "-p", s.port, "-l", s.user,
		"-o", "UserKnownHostsFile=" + b.path("known_hosts"), "-o", "PreferredAuthentications=publickey"}, args[:last]...)
	return b.run(built.Need(b.t, "ssh", "openssh-client"), append(all, "127.0.0.1", args[last])...)
}
