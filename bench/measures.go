package main

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// The groups of the tables and of the plots.
const (
	calls       = "calls"
	symmetric   = "symmetric"
	asymmetric  = "asymmetric"
	keyMaking   = "keys"
	objects     = "objects"
	concurrency = "threads and processes"
	streams     = "streams and memory"
)

// A measure is what -only chooses.
type measure struct {
	name string
	run  func(context.Context, *workshop) []result
}

// A plan is how long to measure.
type plan struct {
	rounds  int
	slice   time.Duration
	quick   bool // only what has a target
	million bool
}

// measures is everything, in the order of the tables.
func measures(o options) []measure {
	p := plan{o.rounds, o.slice, o.quick, o.million}
	var all []comparison
	for _, group := range []func(plan) []comparison{callMeasures, symmetricMeasures, asymmetricMeasures, keyMeasures,
		objectMeasures, concurrencyMeasures, streamMeasures} {
		all = append(all, group(p)...)
	}
	var out []measure
	for _, c := range all {
		if p.quick && len(c.target) == 0 {
			continue
		}
		out = append(out, measure{c.name, func(ctx context.Context, w *workshop) []result {
			for _, f := range c.after {
				defer w.drop(f)
			}
			return c.run(ctx, w)
		}})
	}
	return append(out, measure{"allocations", allocations})
}

// compare is a comparison of everyone, by CPU time.
func (p plan) compare(group, title string, targets []target, args ...string) comparison {
	return comparison{
		name: strings.Join(args, "-"), group: group, title: title, metric: cpu, rounds: p.rounds, slice: p.slice,
		lanes: everyone(args...), target: targets,
	}
}

func callMeasures(p plan) []comparison {
	eight := comparison{
		name: "null-8", group: calls, title: "C_GetSessionInfo, 8 threads", metric: wall, rounds: p.rounds, slice: p.slice,
		lanes: everyModule(keys, "", 8, "null"), target: []target{atLeast(1.5, softhsm)},
	}
	return []comparison{
		p.compare(calls, "C_GetSessionInfo", []target{atLeast(1.2, softhsm)}, "null"),
		eight,
		p.compare(calls, "C_GetAttributeValue, four attributes", []target{atLeast(5, peers...)}, "attributes"),
		p.compare(calls, "C_OpenSession + C_CloseSession", nil, "session"),
		p.compare(calls, "C_Logout + C_Login", nil, "login"),
		p.compare(calls, "C_GenerateRandom, 32 bytes", nil, "random", "32"),
	}
}

// size is a number of bytes in words.
func size(n string) string {
	switch {
	case len(n) > 6:
		return "1 MiB"
	case n == "16384":
		return "16 KiB"
	case n == "4096":
		return "4 KiB"
	case n == "1024":
		return "1 KiB"
	}
	return n + " B"
}

const mebibyte = "1048576"

func symmetricMeasures(p plan) []comparison {
	cipher := func(what, family, n string, targets ...target) comparison {
		return p.compare(symmetric, fmt.Sprintf("%s %s, %s", what, family, size(n)), targets, what, family, n)
	}
	var out []comparison
	small := atLeast(15, softhsm)
	for _, family := range []string{"aes-gcm", "aes-ctr", "aes-cbc", "aes-cbc-pad", "aes-ecb", "aes-ccm", "chacha20-poly1305", "des3-cbc"} {
		for _, what := range []string{"encrypt", "decrypt"} {
			for _, n := range []string{"16", "1024", "16384", mebibyte} {
				var targets []target
				limited := family == "aes-gcm" || family == "aes-cbc" || (family == "aes-ctr" && what == "encrypt")
				switch {
				case limited && (n == "16" || n == "1024"):
					targets = []target{small}
				case family == "aes-cbc" && n == "16384":
					targets = []target{atLeast(1.5, peers...)}
				case family == "aes-gcm" && n == mebibyte:
					targets = []target{atLeast(1.2, nss), atLeast(0.95, bareGo)}
				}
				out = append(out, cipher(what, family, n, targets...))
			}
			out = append(out, p.parts(what, family))
		}
	}
	over := target{rule: extra, bound: 1500, against: []string{bareGo}, title: "C_EncryptMessage over the bare cipher, 1 KiB"}
	out = append(out, p.compare(symmetric, "C_EncryptMessage AES-GCM, 1 KiB", []target{atLeast(1, nss), over}, "message", "1024"))
	for _, name := range []string{"sha256", "sha1", "sha384", "sha512", "sha3-256"} {
		for _, n := range []string{"16", "1024", "16384", mebibyte} {
			var targets []target
			if name == "sha256" && n == "16384" {
				targets = []target{atLeast(0.95, peers...)}
			}
			out = append(out, cipher("digest", name, n, targets...))
		}
		out = append(out, p.parts("digest", name))
	}
	for _, name := range []string{"hmac-sha256", "hmac-sha1", "hmac-sha512", "aes-cmac"} {
		for _, n := range []string{"16", "1024", "16384", mebibyte} {
			var targets []target
			if name == "hmac-sha256" && n == "1024" {
				targets = []target{atLeast(5, softhsm)}
			}
			out = append(out, cipher("mac", name, n, targets...))
		}
		out = append(out, p.parts("mac", name))
	}
	for _, n := range []string{"16", "1024"} {
		out = append(out,
			p.compare(symmetric, "wrap AES-KW, "+size(n), []target{small}, "wrap", n),
			p.compare(symmetric, "unwrap AES-KW + C_DestroyObject, "+size(n), []target{small}, "unwrap", n))
	}
	return out
}

// parts is a megabyte in pieces of 4 KiB.
func (p plan) parts(what, family string) comparison {
	return p.compare(symmetric, fmt.Sprintf("%s %s, 1 MiB in parts of 4 KiB", what, family), nil, what+"-parts", family, mebibyte, "4096")
}

func asymmetricMeasures(p plan) []comparison {
	var out []comparison
	add := func(title string, targets []target, args ...string) {
		out = append(out, p.compare(asymmetric, title, targets, args...))
	}
	private := []target{atLeast(1, opencryptoki), atLeast(1, libcrypto)}
	for _, bits := range []string{"2048", "3072", "4096"} {
		add("RSA-"+bits+" sign, PKCS #1", private, "sign", "rsa"+bits)
		add("RSA-"+bits+" decrypt, OAEP with SHA-1", private, "oaep", "rsa"+bits, "sha1")
		add("RSA-"+bits+" verify, PKCS #1", []target{atLeast(1.5, softhsm)}, "verify", "rsa"+bits)
	}
	for _, bits := range []string{"2048", "3072", "4096"} {
		add("RSA-"+bits+" sign, PSS", nil, "sign", "rsa"+bits+"-pss")
		add("RSA-"+bits+" verify, PSS", nil, "verify", "rsa"+bits+"-pss")
		add("RSA-"+bits+" decrypt, OAEP with SHA-256", nil, "oaep", "rsa"+bits, "sha256")
	}
	curve := func(bound float64) []target { return []target{atLeast(bound, peers...), atLeast(0.95, bareGo)} }
	add("ECDSA P-256 sign", curve(1.5), "sign", "p256")
	add("ECDSA P-384 sign", curve(1.5), "sign", "p384")
	add("ECDSA P-521 sign", curve(0.9), "sign", "p521")
	add("ECDSA P-256 verify", curve(1.1), "verify", "p256")
	add("ECDSA P-384 verify", curve(1.1), "verify", "p384")
	add("ECDSA P-521 verify", curve(0.9), "verify", "p521")
	add("Ed25519 sign", curve(1.5), "sign", "ed25519")
	add("Ed25519 verify", curve(1.5), "verify", "ed25519")
	add("ECDH P-256 + C_DestroyObject", curve(1.5), "derive", "p256")
	add("ECDH P-384 + C_DestroyObject", curve(1.5), "derive", "p384")
	add("X25519 + C_DestroyObject", curve(1.5), "derive", "x25519")
	add("ECDH P-521 + C_DestroyObject", nil, "derive", "p521")
	add("X448 + C_DestroyObject", nil, "derive", "x448")
	add("Ed448 sign", nil, "sign", "ed448")
	add("Ed448 verify", nil, "verify", "ed448")
	add("ML-KEM-768 encapsulate + C_DestroyObject", nil, "encapsulate", "mlkem768")
	add("ML-KEM-768 decapsulate + C_DestroyObject", nil, "decapsulate", "mlkem768")
	add("ML-DSA-65 sign", nil, "sign", "mldsa65")
	add("ML-DSA-65 verify", nil, "verify", "mldsa65")
	add("SLH-DSA-SHA2-128f sign", nil, "sign", "slhdsa128f")
	add("SLH-DSA-SHA2-128f verify", nil, "verify", "slhdsa128f")
	add("C_SignInit alone, P-256", []target{{rule: limit, bound: 2000}}, "signinit", "p256")
	return out
}

func keyMeasures(p plan) []comparison {
	var out []comparison
	for _, kind := range []string{"aes", "p256", "p384", "p521", "ed25519", "x25519", "mlkem768", "mldsa65"} {
		out = append(out, p.compare(keyMaking, "generate "+kind+", of the session", nil, "generate-many", "session", kind))
	}
	for _, bits := range []string{"2048", "3072", "4096"} {
		c := p.compare(keyMaking, "generate RSA-"+bits+", of the session",
			[]target{atLeast(1, softhsm), atLeast(1, libcrypto)}, "generate", "session", "rsa"+bits)
		// How long one key takes is luck; the mean of many is what counts.
		c.pooled, c.cold = true, true
		c.slice = map[string]time.Duration{"2048": 12, "3072": 24, "4096": 36}[bits] * c.slice
		c.rounds = max(2*c.rounds/3, 4)
		if p.quick || bits == "4096" {
			c.lanes = slicesWithout(c.lanes, opencryptoki, nss)
		}
		out = append(out, c)
	}
	for _, kind := range []string{"aes", "p256"} {
		out = append(out, p.durable("generate "+kind+", on the token", "generate", "token", kind))
	}
	return append(out, p.durable("C_CreateObject, on the token", "create"), p.durable("C_DestroyObject, on the token", "destroy"))
}

// durable is a comparison of writes, by the clock on the wall: most of it waits for the disk.
func (p plan) durable(title string, args ...string) comparison {
	return comparison{
		name: strings.Join(args, "-"), group: keyMaking, title: title, metric: wall, rounds: p.rounds, slice: 2 * p.slice,
		lanes: everyModule(grows, "", 1, args...), target: []target{atLeast(8, peers...)},
	}
}

func slicesWithout(lanes []lane, columns ...string) []lane {
	var out []lane
	for _, l := range lanes {
		keep := true
		for _, c := range columns {
			keep = keep && l.column != c
		}
		if keep {
			out = append(out, l)
		}
	}
	return out
}
