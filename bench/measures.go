package main

import (
	"context"
	"strconv"
	"time"
)

// measures is the table, in its order.
func measures(o options) []measure {
	large := 100_000
	if o.quick {
		large = 10_000
	}
	// Half and two thirds of the rounds, where one takes long.
	few, some := max(o.rounds/2, 5), max(2*o.rounds/3, 7)

	compute := func(name string, lines []line, args ...string) measure {
		lanes := []lane{served(coffer, keys, "", args...), served(peer, keys, "", args...)}
		if bareArgs, ok := bareMeasures[name]; ok {
			lanes = append(lanes, bareLane(bareArgs...))
		}
		return comparison{name, o.rounds, o.slice, lanes, lines}.measure()
	}
	find := func(name string, title string, by string) measure {
		return comparison{
			name: name, rounds: o.rounds, slice: o.slice,
			lanes: []lane{
				served(coffer, filled(10_000), "10000", "find", by, "10000"),
				served(coffer, filled(100), "100", "find", by, "100"),
				served(peer, filled(1000), "1000", "find", by, "1000"),
				served(peer, filled(100), "100", "find", by, "100"),
			},
			lines: []line{{title, cpu, coffer + "@10000", coffer + "@100", growth, 2}},
		}.measure()
	}
	largeKey := coffer + "@" + strconv.Itoa(large)

	return []measure{
		compute("call", []line{{"C_GetSessionInfo, the price of a call", cpu, coffer, peer, shown, 0}}, "null"),
		compute("gcm-16", []line{{"AES-256-GCM, C_EncryptInit + C_Encrypt, 16 bytes", cpu, coffer, peer, speedup, 15}},
			"gcm", "16"),
		compute("gcm-1k", []line{{"AES-256-GCM, C_EncryptInit + C_Encrypt, 1 KiB", cpu, coffer, peer, speedup, 15}},
			"gcm", "1024"),
		compute("gcm-1m", []line{{"AES-256-GCM, one-shot, 1 MiB", cpu, coffer, bare, speedup, 0.9}},
			"gcm", "1048576"),
		compute("sign-p256", []line{{"ECDSA P-256, C_SignInit + C_Sign", cpu, coffer, bare, speedup, 0.9}},
			"sign", "p256"),
		compute("sign-ed25519", []line{{"Ed25519, C_SignInit + C_Sign", cpu, coffer, bare, speedup, 0.9}},
			"sign", "ed25519"),
		compute("sign-rsa2048", []line{{"RSA-2048 PKCS #1, C_SignInit + C_Sign", cpu, coffer, bare, speedup, 0.9}},
			"sign", "rsa2048"),
		compute("signinit-p256", []line{{"C_SignInit, cached token key, P-256", cpu, coffer, "", limit, 2000}},
			"signinit", "p256"),
		compute("signinit-rsa2048", []line{{"C_SignInit, cached token key, RSA-2048", cpu, coffer, "", limit, 2000}},
			"signinit", "rsa2048"),
		{"allocations", allocations},
		comparison{
			name: "generate", rounds: few, slice: 3 * o.slice,
			lanes: []lane{served(coffer, grows, "", "generate"), served(peer, grows, "", "generate")},
			lines: []line{{"C_GenerateKey, AES-256 token object, durable", wall, coffer, peer, speedup, 20}},
		}.measure(),
		find("find-id", "C_FindObjects by CKA_ID", "id"),
		find("find-label", "C_FindObjects by CKA_LABEL", "label"),
		comparison{
			name: "newproc", rounds: some,
			lanes: []lane{
				started(coffer, filled(large), strconv.Itoa(large), "newproc"),
				started(coffer, filled(100), "100", "newproc"),
				started(peer, filled(1000), "1000", "newproc"),
				started(peer, filled(100), "100", "newproc"),
			},
			lines: []line{
				{"new process: C_Initialize + C_Login + find + sign", wall, largeKey, coffer + "@100", growth, 1.3},
				{"new process, without C_Login", noLogin, largeKey, coffer + "@100", shown, 0},
				{"new process, resident memory after it", resident, largeKey, coffer + "@100", growth, 1.05},
				{"new process, of that not pages of files", anonymous, largeKey, coffer + "@100", shown, 0},
			},
		}.measure(),
		comparison{
			name: "startup", rounds: some,
			lanes: []lane{
				started(coffer, filled(large), strconv.Itoa(large), "startup"),
				started(coffer, filled(100), "100", "startup"),
				started(peer, filled(1000), "1000", "startup"),
				started(peer, filled(100), "100", "startup"),
			},
			lines: []line{
				{"load + C_Initialize + C_GetSlotList, large store", wall, largeKey, "", limit, 20e6},
				{"load + C_Initialize + C_GetSlotList, small store", wall, coffer + "@100", "", limit, 20e6},
				{"resident memory after C_GetSlotList, large store", resident, largeKey, "", limit, 30 * 1024},
				{"resident memory after C_GetSlotList, small store", resident, coffer + "@100", "", limit, 30 * 1024},
			},
		}.measure(),
	}
}

// bareMeasures are the arguments of the program bare, where it has a counterpart.
var bareMeasures = map[string][]string{
	"gcm-16":       {"gcm", "16"},
	"gcm-1k":       {"gcm", "1024"},
	"gcm-1m":       {"gcm", "1048576"},
	"sign-p256":    {"sign", "p256"},
	"sign-ed25519": {"sign", "ed25519"},
	"sign-rsa2048": {"sign", "rsa2048"},
}

// The fixtures: only keys, keys and a number of objects, and a token that a measure adds to.
var (
	keys  = fixture{name: "keys"}
	grows = fixture{name: "grows"}
)

func filled(objects int) fixture {
	return fixture{name: strconv.Itoa(objects), objects: objects}
}

// served is a lane of p11bench kept alive.
func served(column string, f fixture, label string, args ...string) lane {
	f.module = column
	return lane{column, label, func(ctx context.Context, w *workshop, slice time.Duration) (runner, error) {
		env, err := w.token(ctx, f)
		if err != nil {
			return nil, err
		}
		return startWorker(ctx, slice, env, w.p11bench, append([]string{w.modules[column].path, "serve"}, args...)...)
	}}
}

// started is a lane of p11bench started anew for each sample.
func started(column string, f fixture, label, command string) lane {
	f.module = column
	return lane{column, label, func(ctx context.Context, w *workshop, _ time.Duration) (runner, error) {
		env, err := w.token(ctx, f)
		if err != nil {
			return nil, err
		}
		return &process{env, w.p11bench, []string{w.modules[column].path, command}}, nil
	}}
}

// bareLane is a lane of the program bare.
func bareLane(args ...string) lane {
	return lane{bare, "", func(ctx context.Context, w *workshop, slice time.Duration) (runner, error) {
		return startWorker(ctx, slice, nil, w.bare, args...)
	}}
}
