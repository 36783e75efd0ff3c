package main

import (
	"io"
	"log/slog"
	"os"

	"coffer/p11"
	"coffer/store/stores"
	"coffer/token"
	"coffer/token/settings"
)

// with opens the store that the flags and settings name, hands its module to
// f, and closes it.
func (a *app) with(f func(*token.Module) error) (err error) {
	set, err := a.settings()
	if err != nil {
		return err
	}
	log, err := openLog(set.LogLevel, set.LogFile)
	if err != nil {
		return err
	}
	defer log.Close()
	m, err := openModule(set.Store, storeOptions(set), token.Config{
		Log:            log.Logger,
		Policy:         set.Policy,
		Argon2:         set.Argon2,
		PINMaxFailures: set.PINMaxFailures,
		PINDelay:       set.PINDelay,
		PINMaxDelay:    set.PINMaxDelay,
	})
	if err != nil {
		return err
	}
	return closing(m, f(m))
}

func (a *app) settings() (*settings.Settings, error) {
	return settings.Load(settings.Source{Getenv: a.getenv})
}

func storeOptions(set *settings.Settings) stores.Options {
	return stores.Options{Wait: set.LockWait, Group: set.Group}
}

// closing closes m and returns err, or what went wrong with closing.
func closing(m *token.Module, err error) error {
	if cerr := m.Close(); err == nil {
		err = cerr
	}
	return err
}

func openModule(url string, opt stores.Options, cfg token.Config) (*token.Module, error) {
	backend, err := stores.Open(url, opt)
	if err != nil {
		return nil, p11.Errorf(p11.CKR_DEVICE_ERROR, "opening the store %s: %w", url, err)
	}
	cfg.Store = backend
	return token.Open(cfg)
}

// getenv is the environment with --store in it.
func (a *app) getenv(name string) (string, bool) {
	if name == "COFFER_STORE" && a.store != "" {
		return a.store, true
	}
	return os.LookupEnv(name)
}

// A log is where package token reports to, and what has to be closed after.
type log struct {
	*slog.Logger
	io.Closer
}

// openLog opens the log that the settings ask for, which by default is none.
func openLog(level settings.LogLevel, file string) (log, error) {
	if level == settings.LogOff {
		return log{slog.New(slog.DiscardHandler), io.NopCloser(nil)}, nil
	}
	var w io.Writer = os.Stderr
	closer := io.NopCloser(nil)
	if file != "" {
		f, err := os.OpenFile(file, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
		if err != nil {
			return log{}, p11.Errorf(p11.CKR_GENERAL_ERROR, "opening the log: %w", err)
		}
		w, closer = f, f
	}
	least := map[settings.LogLevel]slog.Level{
		settings.LogError: slog.LevelError,
		settings.LogInfo:  slog.LevelInfo,
		settings.LogDebug: slog.LevelDebug,
	}[level]
	return log{slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: least})), closer}, nil
}
