package conformance

import (
	"bytes"
	"testing"

	"coffer/p11"
	"coffer/p11/attr"
	. "coffer/tests/p11test"
	"coffer/token"
)

const tooLong = 200

// ask, fits, short and empty are what an entry may bring.
func ask(t p11.AttributeType) token.Query { return token.Query{Type: t, Ask: true} }
func buf(t p11.AttributeType, n int) token.Query {
	return token.Query{Type: t, Buf: make([]byte, n)}
}

func TestEachRowOfGetAttributeValue(t *testing.T) {
	Each(t, func(h *Host) {
		s := h.User()
		secret := bytes.Repeat([]byte{7}, 32)
		hidden := h.Create(s, Secret(p11.CKK_AES, secret), attr.Values{Label("hidden")}, Yes(p11.CKA_SENSITIVE))
		open := h.Create(s, Secret(p11.CKK_AES, secret), attr.Values{Label("open!!")}, No(p11.CKA_SENSITIVE), Yes(p11.CKA_EXTRACTABLE))
		for _, tt := range []struct {
			name string
			o    p11.ObjectHandle
			q    token.Query
			n    int
			rv   p11.RV
		}{
			{"the length of a value", open, ask(p11.CKA_LABEL), 6, ok},
			{"the length of a secret value that may be read", open, ask(p11.CKA_VALUE), 32, ok},
			{"a buffer that fits", open, buf(p11.CKA_LABEL, 6), 6, ok},
			{"a buffer that is large", open, buf(p11.CKA_LABEL, tooLong), 6, ok},
			{"a buffer that is too small", open, buf(p11.CKA_LABEL, 5), -1, tooSmall},
			{"a buffer of nothing", open, buf(p11.CKA_LABEL, 0), -1, tooSmall},
			{"an empty value asked for", open, ask(p11.CKA_ID), 0, ok},
			{"an empty value into nothing", open, buf(p11.CKA_ID, 0), 0, ok},
			{"a number into half a number", open, buf(p11.CKA_VALUE_LEN, 4), -1, tooSmall},
			{"a secret value", hidden, buf(p11.CKA_VALUE, 32), -1, p11.CKR_ATTRIBUTE_SENSITIVE},
			{"a secret value into a small buffer", hidden, buf(p11.CKA_VALUE, 1), -1, p11.CKR_ATTRIBUTE_SENSITIVE},
			{"the length of a secret value", hidden, ask(p11.CKA_VALUE), -1, p11.CKR_ATTRIBUTE_SENSITIVE},
			{"an attribute of another class", open, ask(p11.CKA_MODULUS), -1, p11.CKR_ATTRIBUTE_TYPE_INVALID},
			{"an attribute that there is not", open, buf(0x3fffffff, 8), -1, p11.CKR_ATTRIBUTE_TYPE_INVALID},
			{"an attribute that the object lacks", open, ask(p11.CKA_WRAP_TEMPLATE), -1, p11.CKR_ATTRIBUTE_TYPE_INVALID},
		} {
			h.Case(tt.name, func(h *Host) {
				for i := range tt.q.Buf {
					tt.q.Buf[i] = 0xa5
				}
				q := []token.Query{tt.q}
				h.Want(h.GetAttributeValue(s, tt.o, q), tt.rv)
				if q[0].N != tt.n {
					h.Errorf("the length is %d, want %d", q[0].N, tt.n)
				}
				if rest := q[0].Buf[min(max(tt.n, 0), len(q[0].Buf)):]; !bytes.Equal(rest, bytes.Repeat([]byte{0xa5}, len(rest))) {
					h.Errorf("the buffer was written to: %x", q[0].Buf)
				}
			})
		}
		h.Case("every entry is answered, whatever is wrong with others", func(h *Host) {
			q := []token.Query{
				buf(p11.CKA_VALUE, 32), buf(p11.CKA_LABEL, 6), buf(p11.CKA_MODULUS, 10), buf(p11.CKA_LABEL, 1),
				ask(p11.CKA_LABEL), buf(p11.CKA_CLASS, 8), buf(p11.CKA_LABEL, 9),
			}
			h.Want(h.GetAttributeValue(s, hidden, q), p11.CKR_ATTRIBUTE_SENSITIVE, p11.CKR_ATTRIBUTE_TYPE_INVALID, tooSmall)
			for i, n := range []int{-1, 6, -1, -1, 6, 8, 6} {
				if q[i].N != n {
					h.Errorf("entry %d has the length %d, want %d", i, q[i].N, n)
				}
			}
			if string(q[1].Buf) != "hidden" || string(q[6].Buf[:6]) != "hidden" || !bytes.Equal(q[0].Buf, make([]byte, 32)) {
				h.Errorf("%q %q %x", q[1].Buf, q[6].Buf, q[0].Buf)
			}
		})
		h.Case("no entries", func(h *Host) { h.Must(h.GetAttributeValue(s, open, nil)) })
		h.Case("handles that there are not", func(h *Host) {
			for _, o := range []p11.ObjectHandle{0, 1 << 20, 1 << 63} {
				h.Want(h.GetAttributeValue(s, o, []token.Query{ask(p11.CKA_LABEL)}), p11.CKR_OBJECT_HANDLE_INVALID)
			}
			h.Want(h.GetAttributeValue(s+1000, open, []token.Query{ask(p11.CKA_LABEL)}), p11.CKR_SESSION_HANDLE_INVALID)
		})
	})
}

func TestWhatASecretKeyHidesAndShows(t *testing.T) {
	Each(t, func(h *Host) {
		s := h.User()
		for _, k := range Keys() {
			guards(func(sensitive, extractable bool, template attr.Values) {
				o := h.Create(s, k.Own, template)
				hides := sensitive || !extractable
				for _, v := range k.Own {
					got, err := h.Get(s, o, v.Type)
					secret := false
					for _, t := range k.Secrets {
						secret = secret || t == v.Type
					}
					switch {
					case secret && hides:
						h.Want(err, p11.CKR_ATTRIBUTE_SENSITIVE)
					case err != nil || !bytes.Equal(got, v.Raw):
						h.Errorf("%s, %v: %v is %x, %v", k.Name, template, v.Type, got, err)
					}
				}
			})
		}
	})
}

func TestArrayAttributes(t *testing.T) {
	Each(t, func(h *Host) {
		s := h.User()
		inner := attr.Values{Class(p11.CKO_SECRET_KEY), yesNo(p11.CKA_SENSITIVE, true), Label("inner label")}
		k := h.AES(s, attr.Values{attr.NewTemplate(p11.CKA_UNWRAP_TEMPLATE, inner)})
		query := func(n int, each func(i int, q *token.Query)) []token.Query {
			q := []token.Query{{Type: p11.CKA_UNWRAP_TEMPLATE, Inner: make([]token.Query, n)}}
			for i := range q[0].Inner {
				each(i, &q[0].Inner[i])
			}
			return q
		}
		asks := func(_ int, q *token.Query) { q.Ask = true }
		h.Case("asking for the number of entries", func(h *Host) {
			q := []token.Query{ask(p11.CKA_UNWRAP_TEMPLATE)}
			h.Must(h.GetAttributeValue(s, k, q))
			if q[0].N != 3 {
				h.Errorf("%d entries, want 3", q[0].N)
			}
		})
		h.Case("asking for types and lengths", func(h *Host) {
			q := query(3, asks)
			h.Must(h.GetAttributeValue(s, k, q))
			for i, v := range inner {
				if got := q[0].Inner[i]; got.Type != v.Type || got.N != len(v.Raw) {
					h.Errorf("entry %d is %v of %d bytes, want %v of %d", i, got.Type, got.N, v.Type, len(v.Raw))
				}
			}
		})
		h.Case("reading the values", func(h *Host) {
			q := query(3, func(i int, q *token.Query) { q.Buf = make([]byte, len(inner[i].Raw)) })
			h.Must(h.GetAttributeValue(s, k, q))
			for i, v := range inner {
				if got := q[0].Inner[i]; got.Type != v.Type || !bytes.Equal(got.Buf, v.Raw) {
					h.Errorf("entry %d is %v %x, want %v", i, got.Type, got.Buf, v)
				}
			}
		})
		h.Case("too few entries", func(h *Host) {
			q := query(2, asks)
			h.Want(h.GetAttributeValue(s, k, q), tooSmall)
			if q[0].N != -1 {
				h.Errorf("the length is %d, want -1", q[0].N)
			}
		})
		h.Case("an inner buffer that is too small", func(h *Host) {
			q := query(3, func(i int, q *token.Query) { q.Buf = make([]byte, len(inner[i].Raw)-i/2) })
			h.Want(h.GetAttributeValue(s, k, q), tooSmall)
			if q[0].N != 3 || q[0].Inner[0].N != 8 || q[0].Inner[1].N != 1 || q[0].Inner[2].N != -1 {
				h.Errorf("lengths %d: %d %d %d", q[0].N, q[0].Inner[0].N, q[0].Inner[1].N, q[0].Inner[2].N)
			}
		})
		h.Case("a template inside a template is refused", func(h *Host) {
			deep := attr.Values{attr.NewTemplate(p11.CKA_UNWRAP_TEMPLATE, attr.Values{attr.NewTemplate(p11.CKA_WRAP_TEMPLATE, nil)})}
			_, err := h.GenerateKey(s, Mech(p11.CKM_AES_KEY_GEN), Join(attr.Values{Length(16)}, deep))
			h.Want(err, p11.CKR_TEMPLATE_INCONSISTENT, p11.CKR_ATTRIBUTE_VALUE_INVALID)
		})
		h.Case("an array of numbers", func(h *Host) {
			list := attr.NewBytes(p11.CKA_ALLOWED_MECHANISMS, append(attr.NewULong(0, p11.CKM_AES_GCM).Raw, attr.NewULong(0, p11.CKM_AES_CBC).Raw...))
			k := h.AES(s, attr.Values{list})
			if got := h.Read(s, k, p11.CKA_ALLOWED_MECHANISMS); !bytes.Equal(got, list.Raw) {
				h.Errorf("%x", got)
			}
		})
	})
}

func TestWhatTheTokenFillsIn(t *testing.T) {
	Each(t, func(h *Host) {
		s := h.User()
		h.Case("CKA_UNIQUE_ID is another for each object and stays", func(h *Host) {
			seen := map[string]bool{}
			for range 20 {
				id := string(h.Read(s, h.Create(s, Data("d")), p11.CKA_UNIQUE_ID))
				if id == "" || seen[id] {
					h.Errorf("%q again", id)
				}
				seen[id] = true
			}
			o := h.Create(s, Data("kept"), Yes(p11.CKA_TOKEN))
			id := string(h.Read(s, o, p11.CKA_UNIQUE_ID))
			found := h.Find(s, attr.NewString(p11.CKA_UNIQUE_ID, id))
			if len(found) != 1 || found[0] != o {
				h.Errorf("%d objects have the CKA_UNIQUE_ID", len(found))
			}
		})
		h.Case("CKA_CHECK_VALUE of AES is of a block of zeros", func(h *Host) {
			o := h.Create(s, KeyOf(p11.CKK_AES).Own, Yes(p11.CKA_ENCRYPT))
			h.Must(h.EncryptInit(s, Mech(p11.CKM_AES_ECB), o))
			block := h.Output(func(out *p11.Out) error { return h.Encrypt(s, make([]byte, 16), out) })
			if got := h.Read(s, o, p11.CKA_CHECK_VALUE); !bytes.Equal(got, block[:3]) {
				h.Errorf("%x, want %x", got, block[:3])
			}
			h.Create(s, KeyOf(p11.CKK_AES).Own, attr.Values{attr.NewBytes(p11.CKA_CHECK_VALUE, block[:3])})
			none := h.Create(s, KeyOf(p11.CKK_AES).Own, attr.Values{attr.NewBytes(p11.CKA_CHECK_VALUE, nil)})
			got, err := h.Get(s, none, p11.CKA_CHECK_VALUE)
			if len(got) != 0 {
				h.Errorf("%x, %v: a check value that was not wanted", got, err)
			}
		})
		h.Case("CKA_PUBLIC_KEY_INFO is the same in both halves", func(h *Host) {
			for _, k := range Keys() {
				if k.Secret() {
					continue
				}
				pub, priv := importPair(h, s, k)
				a, b := h.Read(s, pub, p11.CKA_PUBLIC_KEY_INFO), h.Read(s, priv, p11.CKA_PUBLIC_KEY_INFO)
				if len(a) == 0 || !bytes.Equal(a, b) {
					h.Errorf("%s: %x and %x", k.Name, a, b)
				}
			}
		})
		h.Case("CKA_VALUE_LEN and CKA_MODULUS_BITS are those of the value", func(h *Host) {
			if got := h.Read(s, h.Create(s, Secret(p11.CKK_GENERIC_SECRET, make([]byte, 21))), p11.CKA_VALUE_LEN); !bytes.Equal(got, Length(21).Raw) {
				h.Errorf("%x", got)
			}
			pub := h.Create(s, KeyOf(p11.CKK_RSA).Public)
			if got := h.Read(s, pub, p11.CKA_MODULUS_BITS); !bytes.Equal(got, Length(2048).Raw) {
				h.Errorf("%x", got)
			}
		})
		h.Case("dates are kept as they were given", func(h *Host) {
			k := h.AES(s, Yes(p11.CKA_TOKEN), attr.Values{attr.NewString(p11.CKA_START_DATE, "20200229"), attr.NewString(p11.CKA_END_DATE, "20991231")})
			if a, b := h.Read(s, k, p11.CKA_START_DATE), h.Read(s, k, p11.CKA_END_DATE); string(a) != "20200229" || string(b) != "20991231" {
				h.Errorf("%s to %s", a, b)
			}
			if d := h.Read(s, h.AES(s), p11.CKA_END_DATE); len(d) != 0 {
				h.Errorf("no date is %x", d)
			}
		})
	})
}
