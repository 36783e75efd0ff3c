package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"
)

// openCryptokiPlace gives openCryptoki's daemon a mount and an IPC namespace of its own: its configuration, its
// token and its socket have fixed paths, and the machine's own are left alone.
func openCryptokiPlace(dir string) (place, error) {
	p := place{close: func() {}, env: []string{"P11BENCH_SO_PIN=87654321"}}
	if os.Geteuid() != 0 {
		return p, errors.New("openCryptoki needs root, for a namespace of its own")
	}
	d, err := startOpenCryptoki(dir)
	if err != nil {
		return p, err
	}
	p.close = d.stop
	p.prefix = []string{"nsenter", "--target", fmt.Sprint(d.cmd.Process.Pid), "--mount", "--ipc", "--"}
	return p, nil
}

// daemonTimeout bounds the wait for openCryptoki's daemon.
const daemonTimeout = 20 * time.Second

// openCryptokiScript prepares the folder, hides the machine's paths behind it, starts the daemon, says so, and
// ends it when standard input ends.
var openCryptokiScript = strings.TrimSpace(`
set -e
dir=$1
mkdir -p $dir/lib/swtok/TOK_OBJ $dir/run/lock/opencryptoki/swtok $dir/conf $dir/log
printf 'version opencryptoki-3.1\nslot 0\n{\nstdll = libpkcs11_sw.so\n}\n' >$dir/conf/opencryptoki.conf
chgrp -R pkcs11 $dir
chmod -R ug+rwX $dir
mkdir -p /var/lib/opencryptoki /var/log/opencryptoki
mount --bind $dir/lib /var/lib/opencryptoki
mount --bind $dir/conf /etc/opencryptoki
mount --bind $dir/log /var/log/opencryptoki
mount --bind $dir/run /run
mount -t tmpfs tmpfs /dev/shm
pkcsslotd
for i in $(seq 100); do
	[ -S /run/pkcsslotd.socket ] && break
	sleep 0.05
done
echo ready
cat >/dev/null
kill $(cat /run/pkcsslotd.pid)
`)

// A daemon is openCryptoki's, in namespaces of its own.
type daemon struct {
	cmd *exec.Cmd
	in  io.WriteCloser
}

func startOpenCryptoki(dir string) (*daemon, error) {
	cmd := exec.Command("unshare", "--mount", "--ipc", "--propagation", "private",
		"sh", "-c", openCryptokiScript, "sh", dir)
	var complaints bytes.Buffer
	cmd.Stderr = &complaints
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	d := &daemon{cmd, in}
	timer := time.AfterFunc(daemonTimeout, func() { cmd.Process.Kill() })
	defer timer.Stop()
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		d.stop()
		return nil, fmt.Errorf("openCryptoki's daemon does not start: %q %s", line, bytes.TrimSpace(complaints.Bytes()))
	}
	return d, nil
}

// stop ends the daemon, and with it its namespaces.
func (d *daemon) stop() {
	d.in.Close()
	timer := time.AfterFunc(daemonTimeout, func() { d.cmd.Process.Kill() })
	defer timer.Stop()
	d.cmd.Wait()
}
