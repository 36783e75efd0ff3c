package hosts

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"coffer/tests/built"
)

// Apache httpd 2.4 with the prefork MPM loads its keys through mod_ssl and
// OpenSSL's engine: once to check its configuration, once more after it has
// forked to become a daemon, and again at each graceful restart. Its children
// sign, each for some connections only, and are replaced by new ones.
func TestApache(t *testing.T) {
	t.Parallel()
	b := newServerBench(t)
	b.serverKeys()
	a := startApache(b)
	v := b.newVisitor(a.addr, "rsa.crt", "p256.crt")
	all := []int{0, 1, 2}

	v.visits(t, 6, 300, all, true, nil)
	t.Run("graceful restart under load", func(t *testing.T) {
		a := a.in(t)
		v.visits(t, 6, 200, all, true, func() {
			for range 3 {
				a.restart()
			}
		})
	})
	v.visits(t, 6, 60, all, true, nil)
	a.quit()
}

type apache struct {
	*server
	addr string
}

func startApache(b *bench) *apache {
	b.t.Helper()
	path := "/usr/sbin/apache2"
	if _, err := os.Stat(path); err != nil {
		path = built.Need(b.t, "apache2", "apache2-bin")
	}
	modules := "/usr/lib/apache2/modules"
	port := freePort(b.t)
	b.write("www/index.html", page)
	users := ""
	if isRoot {
		users = "User " + workersUser + "\nGroup " + workersUser
	}
	b.write("apache.conf", fmt.Sprintf(`%[6]s
ServerRoot %[1]s
DefaultRuntimeDir %[1]s
PidFile %[1]s/apache.pid
ErrorLog %[1]s/error.log
LogLevel info ssl:warn
ServerName localhost
LoadModule mpm_prefork_module %[2]s/mod_mpm_prefork.so
LoadModule authz_core_module %[2]s/mod_authz_core.so
LoadModule dir_module %[2]s/mod_dir.so
LoadModule ssl_module %[2]s/mod_ssl.so
Listen 127.0.0.1:%[3]s
StartServers 4
MinSpareServers 4
MaxSpareServers 4
MaxRequestWorkers 64
MaxConnectionsPerChild 40
DocumentRoot %[1]s/www
SSLCryptoDevice pkcs11
SSLSessionCache none
<VirtualHost 127.0.0.1:%[3]s>
  SSLEngine on
  SSLSessionTickets off
  SSLCertificateFile %[1]s/rsa.crt
  SSLCertificateKeyFile "%[4]s"
  SSLCertificateFile %[1]s/p256.crt
  SSLCertificateKeyFile "%[5]s"
</VirtualHost>
`, b.dir, modules, port, uri("rsa"), uri("p256"), users))
	if _, err := os.Stat(filepath.Join(modules, "mod_ssl.so")); err != nil {
		built.Missing(b.t, "mod_ssl is not installed (Debian package apache2-bin)")
	}
	a := &apache{addr: "127.0.0.1:" + port}
	b.t.Cleanup(func() {
		log := b.read("error.log")
		for _, bad := range []string{":emerg]", ":alert]", ":crit]", ":error]", "exit signal"} {
			if strings.Contains(log, bad) {
				b.t.Errorf("Apache says %s", bad)
			}
		}
		if b.t.Failed() {
			b.t.Logf("Apache's log:\n%s", log)
		}
	})
	a.server = b.engine(0).startDaemon("apache.pid", path, "-f", b.path("apache.conf"))
	a.listens(a.addr)
	return a
}

// in returns the server for a subtest: its failures are the subtest's.
func (a *apache) in(t *testing.T) *apache {
	s := *a.server
	s.b = s.b.in(t)
	return &apache{server: &s, addr: a.addr}
}

// restart has the parent load its configuration and its keys anew, while its
// children finish.
func (a *apache) restart() {
	a.b.t.Helper()
	resumed := func() int { return strings.Count(a.b.read("error.log"), "resuming normal operations") }
	before := resumed()
	if err := syscall.Kill(a.b.readPID("apache.pid"), syscall.SIGUSR1); err != nil {
		a.b.t.Fatal(err)
	}
	a.wait("restart", func() bool { return resumed() > before })
	time.Sleep(100 * time.Millisecond) // some handshakes with the new children
}

// quit has Apache end when its children have finished.
func (a *apache) quit() {
	a.b.t.Helper()
	pid := a.b.readPID("apache.pid")
	if err := syscall.Kill(pid, syscall.SIGWINCH); err != nil {
		a.b.t.Fatal(err)
	}
	if !eventually(20*time.Second, func() bool { return gone(pid) }) {
		a.b.t.Error("Apache does not end")
	}
}
