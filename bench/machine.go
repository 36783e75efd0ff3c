package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// A machine is what a reader needs to judge absolute times.
type machine struct {
	CPU        string `json:"cpu"`
	CPUs       int    `json:"cpus"`
	Kernel     string `json:"kernel"`
	FileSystem string `json:"file_system"`
	Go         string `json:"go"`
	Source     string `json:"source"`
	Date       string `json:"date"`
	Load       string `json:"load"`
	LoadAfter  string `json:"load_after"`
}

// fileSystems names the types on which a flush to disk means something, and those on which it does not.
var fileSystems = map[int64]string{
	unix.EXT4_SUPER_MAGIC:      "ext4",
	unix.XFS_SUPER_MAGIC:       "xfs",
	unix.BTRFS_SUPER_MAGIC:     "btrfs",
	unix.OVERLAYFS_SUPER_MAGIC: "overlay",
	unix.TMPFS_MAGIC:           "tmpfs: nothing is flushed, use -dir to measure durable writes",
}

func (w *workshop) machine(ctx context.Context) machine {
	m := machine{CPU: cpuModel(), CPUs: runtime.NumCPU(), Go: runtime.Version(), Load: load(), FileSystem: "unknown",
		Date: time.Now().UTC().Format(time.DateOnly)}
	var uname unix.Utsname
	if unix.Uname(&uname) == nil {
		m.Kernel = unix.ByteSliceToString(uname.Release[:])
	}
	var fs unix.Statfs_t
	if unix.Statfs(w.dir, &fs) == nil {
		if m.FileSystem = fileSystems[fs.Type]; m.FileSystem == "" {
			m.FileSystem = fmt.Sprintf("type %#x", fs.Type)
		}
	}
	git := exec.CommandContext(ctx, "git", "describe", "--always", "--dirty")
	git.Dir = w.root
	if out, err := git.Output(); err == nil {
		m.Source = strings.TrimSpace(string(out))
	}
	return m
}

func cpuModel() string {
	text, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return "unknown"
	}
	for line := range strings.Lines(string(text)) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return "unknown"
}

// load is the load average of one, five and fifteen minutes.
func load() string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	return strings.Join(strings.Fields(string(text))[:3], " ")
}

// describe asks each module what it is.
func (w *workshop) describe(ctx context.Context) map[string]string {
	about := map[string]string{}
	for name, m := range w.modules {
		if m.err != nil {
			about[name] = "not measured: " + strings.SplitN(m.err.Error(), "\n", 2)[0]
			continue
		}
		p, err := newPlace(name, filepath.Join(w.dir, name+"-info"))
		var info struct{ Description, Version, Cryptoki string }
		if err == nil {
			err = w.p11bench(name, p, "info").ask(ctx, &info)
			p.close()
		}
		if err != nil {
			about[name] = "does not describe itself: " + err.Error()
			continue
		}
		about[name] = fmt.Sprintf("%s %s, Cryptoki %s (%s)", info.Description, info.Version, info.Cryptoki,
			filepath.Base(m.path))
		if v := packageVersion(ctx, m.path); v != "" {
			about[name] += ", " + v
		}
	}
	about[libcrypto] = "not measured: no header files of OpenSSL"
	if w.missing[libcrypto] == nil {
		about[libcrypto] = "OpenSSL"
		if out, err := exec.CommandContext(ctx, "openssl", "version").Output(); err == nil {
			about[libcrypto] = strings.TrimSpace(string(out))
		}
	}
	return about
}

// packageVersion is the Debian package that owns path, or nothing.
func packageVersion(ctx context.Context, path string) string {
	owner, err := exec.CommandContext(ctx, "dpkg-query", "-S", path).Output()
	if err != nil {
		return ""
	}
	name, _, _ := strings.Cut(string(owner), ":")
	out, err := exec.CommandContext(ctx, "dpkg-query", "-W", "-f", "${Package} ${Version}", name).Output()
	if err != nil {
		return ""
	}
	return string(out)
}
