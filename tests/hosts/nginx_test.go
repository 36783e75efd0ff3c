package hosts

import (
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"coffer/tests/built"
)

// nginx (1.22) loads its keys by OpenSSL's engine, forks to become a daemon,
// and signs in the workers that this child forks. A reload loads the keys again,
// in the child; an upgrade executes a second master beside the first, which
// forks workers of its own while the old ones finish.
func TestNginx(t *testing.T) {
	t.Parallel()
	b := newServerBench(t)
	b.serverKeys()
	n := startNginx(b)
	v := b.newVisitor(n.addr, "rsa.crt", "p256.crt")
	all := []int{0, 1, 2}

	v.visits(t, 8, 400, all, true, nil)
	t.Run("reload under load", func(t *testing.T) {
		n := n.in(t)
		v.visits(t, 8, 300, all, true, func() {
			for range 3 {
				n.reload()
			}
		})
	})
	t.Run("upgrade under load", func(t *testing.T) {
		n := n.in(t)
		v.visits(t, 8, 300, all, true, n.upgrade)
	})
	v.visits(t, 8, 100, all, true, nil)
	if made := v.made.Load(); made < 1000 {
		t.Errorf("only %d handshakes", made)
	}
	n.quit()
}

type nginx struct {
	*server
	addr string
}

const nginxWorkers = 4

// nginxEnv names the variables that nginx gives its workers and a new master:
// no others reach them.
func nginxEnv(b *bench) string {
	lines := []string{"env OPENSSL_CONF;"}
	for _, v := range b.env {
		if name, _, _ := strings.Cut(v, "="); strings.HasPrefix(name, "COFFER_") {
			lines = append(lines, "env "+name+";")
		}
	}
	return strings.Join(lines, "\n")
}

func startNginx(b *bench) *nginx {
	b.t.Helper()
	path := "/usr/sbin/nginx"
	if _, err := os.Stat(path); err != nil {
		path = built.Need(b.t, "nginx", "nginx")
	}
	port := freePort(b.t)
	b.write("www/index.html", page)
	user := ""
	if isRoot {
		user = "user " + workersUser + ";"
	}
	b.write("nginx.conf", fmt.Sprintf(`%s
worker_processes %d;
pid %s;
error_log %s notice;
%s
events {
  worker_connections 256;
}
http {
  access_log off;
  client_body_temp_path body;
  proxy_temp_path proxy;
  fastcgi_temp_path fastcgi;
  uwsgi_temp_path uwsgi;
  scgi_temp_path scgi;
  server {
    listen 127.0.0.1:%s ssl;
    server_name localhost;
    root %s;
    ssl_protocols TLSv1.2 TLSv1.3;
    ssl_session_cache off;
    ssl_session_tickets off;
    ssl_certificate %s;
    ssl_certificate_key "engine:pkcs11:%s";
    ssl_certificate %s;
    ssl_certificate_key "engine:pkcs11:%s";
  }
}
`, user, nginxWorkers, b.path("nginx.pid"), b.path("error.log"), nginxEnv(b), port, b.path("www"),
		b.path("rsa.crt"), uri("rsa"), b.path("p256.crt"), uri("p256")))
	n := &nginx{addr: "127.0.0.1:" + port}
	// A master in the foreground would refuse an upgrade.
	n.server = b.engine(1).startDaemon("nginx.pid", path, "-p", b.dir, "-c", b.path("nginx.conf"), "-e", b.path("error.log"))
	b.t.Cleanup(func() {
		log := b.read("error.log")
		for _, bad := range []string{"[alert]", "[crit]", "[emerg]", "[error]", "exited on signal"} {
			if strings.Contains(log, bad) {
				b.t.Errorf("nginx says %s", bad)
			}
		}
		if b.t.Failed() {
			b.t.Logf("nginx's log:\n%s", log)
		}
	})
	n.listens(n.addr)
	return n
}

// in returns the server for a subtest: its failures are the subtest's.
func (n *nginx) in(t *testing.T) *nginx {
	s := *n.server
	s.b = s.b.in(t)
	return &nginx{server: &s, addr: n.addr}
}

// counts returns how often the log says something.
func (n *nginx) counts(text string) int {
	data, _ := os.ReadFile(n.b.path("error.log"))
	return strings.Count(string(data), text)
}

func (n *nginx) signal(pid int, sig syscall.Signal) {
	n.b.t.Helper()
	if pid == 0 {
		n.b.t.Fatal("nginx has no process")
	}
	if err := syscall.Kill(pid, sig); err != nil {
		n.b.t.Fatalf("signal %v to nginx, process %d: %v", sig, pid, err)
	}
}

// reload has the master load its configuration and its keys anew and waits
// until the old workers are gone.
func (n *nginx) reload() {
	n.b.t.Helper()
	started, exited := n.counts("start worker process "), n.counts("exited with code 0")
	n.signal(n.b.readPID("nginx.pid"), syscall.SIGHUP)
	n.wait("workers after a reload", func() bool {
		return n.counts("start worker process ") >= started+nginxWorkers && n.counts("exited with code 0") >= exited+nginxWorkers
	})
	time.Sleep(100 * time.Millisecond) // some handshakes with the new workers
}

// upgrade replaces the program by itself: a new master, then the old workers
// end, then the old master.
func (n *nginx) upgrade() {
	n.b.t.Helper()
	old := n.b.readPID("nginx.pid")
	started, exited := n.counts("start worker process "), n.counts("exited with code 0")
	n.signal(old, syscall.SIGUSR2)
	n.wait("new workers", func() bool { return n.counts("start worker process ") >= started+nginxWorkers })
	time.Sleep(100 * time.Millisecond) // handshakes with workers of both
	n.signal(old, syscall.SIGWINCH)
	n.wait("end of the old workers", func() bool { return n.counts("exited with code 0") >= exited+nginxWorkers })
	n.signal(old, syscall.SIGQUIT)
	n.wait("end of the old master", func() bool { return gone(old) })
	now := n.b.readPID("nginx.pid")
	if now == old || now == 0 {
		n.b.t.Errorf("the master is %d, and was %d", now, old)
	}
}

// quit ends nginx as an administrator does: workers finish, nothing is killed.
func (n *nginx) quit() {
	n.b.t.Helper()
	master := n.b.readPID("nginx.pid")
	exited := n.counts("exited with code 0")
	n.signal(master, syscall.SIGQUIT)
	if !eventually(20*time.Second, func() bool { return gone(master) }) {
		n.b.t.Errorf("nginx does not quit; %d workers did", n.counts("exited with code 0")-exited)
	}
}
