package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"coffer/p11"
	"coffer/store"
	"coffer/store/stores"
	"coffer/token/settings"
)

func (a *app) serve() *cobra.Command {
	return &cobra.Command{
		Use:   "serve",
		Short: "Hold the store open for other processes",
		Long: `Opens the store and serves it to the processes of this machine until SIGTERM or
SIGINT, as the first process that uses the library does by itself. One wants it

  - when short programs follow each other: each of them spares opening the store;
  - when the store's owner is another user than its clients, who are members of
    the group that store.group names: this process makes the store's files;
  - to see in one place who has the store open.

It needs no PIN, sees ciphertext only and holds no key. If another process has
the store, it waits for its turn. It tells systemd when it is ready.`,
		Example: `  coffer serve
  coffer serve --store /srv/tokens`,
		Args: noArgs,
		RunE: does(func(*cobra.Command) error {
			ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
			defer stop()
			set, err := settings.Load(settings.Source{Getenv: a.getenv})
			if err != nil {
				return err
			}
			backend, err := stores.Open(set.Store, stores.Options{Wait: set.LockWait, Group: set.Group})
			if err != nil {
				return p11.Errorf(p11.CKR_DEVICE_ERROR, "opening the store %s: %w", set.Store, err)
			}
			fmt.Fprintf(a.err, "coffer: the store %s is open\n", set.Store)
			if err := notifyReady(); err != nil {
				fmt.Fprintf(a.err, "coffer: telling systemd: %v\n", err)
			}
			stayOpen(ctx, backend)
			return backend.Close()
		}),
	}
}

// stayOpen returns when ctx ends. A store passes from one process to the next
// that wants something of it, so this one wants something now and then.
func stayOpen(ctx context.Context, b store.Backend) {
	for tick := time.NewTicker(time.Second); ; {
		select {
		case <-ctx.Done():
			tick.Stop()
			return
		case <-tick.C:
			// An error here is its clients' to report.
			_, _ = b.Range(ctx, store.RangeRequest{Span: store.Key([]byte("n")), Only: store.KeysOnly})
		}
	}
}

// notifyReady tells the service manager, if there is one (sd_notify(3)).
func notifyReady() error {
	name := os.Getenv("NOTIFY_SOCKET")
	if name == "" {
		return nil
	}
	c, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: name, Net: "unixgram"})
	if err != nil {
		return err
	}
	defer c.Close()
	_, err = c.Write([]byte("READY=1"))
	return err
}
