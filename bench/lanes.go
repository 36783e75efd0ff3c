package main

import (
	"context"
	"strconv"
	"time"
)

// keys is the fixture of the measures that need keys and no objects; grows is one that keeps what it is given.
var (
	keys  = fixture{name: "keys"}
	grows = fixture{name: "grows"}
)

func filled(objects int) fixture {
	return fixture{name: strconv.Itoa(objects), objects: objects}
}

func (f fixture) of(column string) fixture {
	f.module = column
	return f
}

// served is a lane of p11bench kept alive, in so many threads.
func served(column string, f fixture, label string, threads int, args ...string) lane {
	return lane{column, label, func(ctx context.Context, w *workshop, slice time.Duration) (runner, error) {
		c, err := w.serving(ctx, f.of(column), threads, args)
		if err != nil {
			return nil, err
		}
		return c.start(ctx, slice)
	}}
}

func (w *workshop) serving(ctx context.Context, f fixture, threads int, args []string) (command, error) {
	t, err := w.token(ctx, f)
	if err != nil {
		return command{}, err
	}
	return w.p11bench(f.module, t.place, append([]string{"serve", strconv.Itoa(threads)}, args...)...), nil
}

// crowded is a lane of so many processes that work at the same time.
func crowded(column string, f fixture, label string, processes int, args ...string) lane {
	return lane{column, label, func(ctx context.Context, w *workshop, slice time.Duration) (runner, error) {
		c, err := w.serving(ctx, f.of(column), 1, args)
		if err != nil {
			return nil, err
		}
		return c.startCrowd(ctx, slice, processes)
	}}
}

// started is a lane of p11bench started anew for each sample.
func started(column string, f fixture, label string, args ...string) lane {
	return lane{column, label, func(ctx context.Context, w *workshop, _ time.Duration) (runner, error) {
		t, err := w.token(ctx, f.of(column))
		if err != nil {
			return nil, err
		}
		return process(w.p11bench(column, t.place, args...)), nil
	}}
}

// stored is a lane whose sample is what an object of a filled token takes of the disk, in bytes.
func stored(column string, f fixture, label string) lane {
	return lane{column, label, func(ctx context.Context, w *workshop, _ time.Duration) (runner, error) {
		t, err := w.token(ctx, f.of(column))
		if err != nil {
			return nil, err
		}
		now := sizes(t.dir)
		n := float64(f.objects)
		return constant{"bytes": (now["bytes"] - t.empty["bytes"]) / n, "blocks": (now["blocks"] - t.empty["blocks"]) / n}, nil
	}}
}

// A constant is a runner of one sample.
type constant sample

func (c constant) sample(context.Context) (sample, error) { return sample(c), nil }
func (c constant) close() error                           { return nil }

// limitLane is a lane of a program without a module.
func limitLane(column string, args ...string) lane {
	return lane{column, "", func(ctx context.Context, w *workshop, slice time.Duration) (runner, error) {
		if err := w.missing[column]; err != nil {
			return nil, errAbsent("a compiler that finds it: " + err.Error())
		}
		return command{program: w.programs[column], args: append([]string{w.keys}, args...)}.start(ctx, slice)
	}}
}

// everyone is a lane of each module and of both limits.
func everyone(args ...string) []lane {
	return append(everyModule(keys, "", 1, args...), limitLane(bareGo, args...), limitLane(libcrypto, args...))
}

func everyModule(f fixture, label string, threads int, args ...string) []lane {
	var lanes []lane
	for _, m := range modules {
		lanes = append(lanes, served(m, f, label, threads, args...))
	}
	return lanes
}
