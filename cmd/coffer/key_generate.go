package main

import (
	"crypto/rand"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"coffer/p11"
	"coffer/p11/attr"
	"coffer/token"
)

func (a *app) keyGenerate() *cobra.Command {
	var (
		which       tokenChoice
		typ, label  string
		id          []byte
		extractable bool
		names       []string
		user        = userPIN()
	)
	cmd := &cobra.Command{
		Use:   "generate --type TYPE --label LABEL",
		Short: "Generate a key or key pair",
		Long: `Generates a key or key pair inside the token, where it stays: for an application
that expects to find its key there. It takes the user PIN.

The types are ` + strings.Join(keyTypeExamples(), ", ") + `: the size of a
generic or HKDF secret is in bytes, that of others in bits; ML-DSA, ML-KEM and
SLH-DSA have parameter sets.

The key is sensitive and private. It cannot leave the token unless it is
--extractable, and then only wrapped by another key. --usage says what it may be
used for: ` + strings.Join(usageNames(), ", ") + `.
Without it a key gets what its type is mostly for. What one half of a pair
may do, the other may undo. Without --id the key gets an ID of its own.`,
		Example: `  coffer key generate --type ec:P-256 --label signer --id 01
  coffer key generate --type rsa:3072 --label tls --usage sign
  coffer key generate --type aes:256 --label backup --usage wrap,unwrap`,
		Args: noArgs,
	}
	which.addTo(cmd)
	cmd.Flags().StringVar(&typ, "type", "", "`type` of the key, such as ec:P-256")
	cmd.Flags().StringVar(&label, "label", "", "`label` of the key")
	cmd.Flags().BytesHexVar(&id, "id", nil, "CKA_ID of the key, in `hex`; without it, a random one")
	cmd.Flags().BoolVar(&extractable, "extractable", false, "let other keys wrap the key, which takes it out of the token")
	cmd.Flags().StringSliceVar(&names, "usage", nil, "what the key may do, a `list` such as sign,decrypt")
	user.addTo(cmd)
	require(cmd, "type", "label")
	complete(cmd, "type", keyTypeExamples())
	complete(cmd, "usage", usageNames())
	cmd.RunE = does(func(cmd *cobra.Command) error {
		spec, err := parseKeyType(typ)
		if err != nil {
			return err
		}
		if err := checkUsages(names); err != nil {
			return err
		}
		r := keyRequest{spec: spec, label: label, id: id, usages: spec.usages, extractable: extractable}
		if cmd.Flags().Changed("usage") {
			r.usages = names
		}
		if !cmd.Flags().Changed("id") {
			r.id = make([]byte, 8)
			rand.Read(r.id)
		}
		p, err := user.read(a, knownPIN)
		if err != nil {
			return err
		}
		defer p.wipe()
		return a.with(func(m *token.Module) error {
			t, err := which.find(m)
			if err != nil {
				return err
			}
			s, err := login(m, t.slot, p11.CKU_USER, p)
			if err != nil {
				return err
			}
			made, err := r.generate(m, s)
			if err != nil {
				return err
			}
			return a.print(made, func(w io.Writer) error { return printObjects(w, made) })
		})
	})
	return cmd
}

// A keyRequest says what key to make.
type keyRequest struct {
	spec        keySpec
	label       string
	id          []byte
	usages      []string
	extractable bool
}

// generate makes the key, or both halves of the pair, as token objects.
func (r keyRequest) generate(m *token.Module, s p11.SessionHandle) ([]objectView, error) {
	mechanism := &p11.Mechanism{Type: r.spec.keyType.generate}
	if r.spec.secret() {
		h, err := m.GenerateKey(s, mechanism, r.template(p11.CKO_SECRET_KEY).With(r.spec.attrs...))
		if err != nil {
			return nil, err
		}
		return views(m, s, h)
	}
	pub, priv, err := m.GenerateKeyPair(s, mechanism,
		r.template(p11.CKO_PUBLIC_KEY).With(r.spec.attrs...), r.template(p11.CKO_PRIVATE_KEY))
	if err != nil {
		return nil, err
	}
	return views(m, s, priv, pub)
}

func (r keyRequest) template(class p11.ObjectClass) attr.Values {
	out := attr.Values{
		attr.NewULong(p11.CKA_CLASS, class),
		attr.NewULong(p11.CKA_KEY_TYPE, r.spec.key),
		attr.NewBool(p11.CKA_TOKEN, true),
		attr.NewString(p11.CKA_LABEL, r.label),
		attr.NewBytes(p11.CKA_ID, r.id),
	}
	if class != p11.CKO_PUBLIC_KEY {
		out = out.With(
			attr.NewBool(p11.CKA_PRIVATE, true),
			attr.NewBool(p11.CKA_SENSITIVE, true),
			attr.NewBool(p11.CKA_EXTRACTABLE, r.extractable),
		)
	}
	return out.With(usageTemplate(class, r.usages)...)
}
