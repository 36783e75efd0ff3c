package vectors

import (
	"encoding/hex"
	"encoding/json"
	"slices"
	"testing"

	"github.com/c2sp/wycheproof"
)

// hexBytes is a string of hexadecimal digits in JSON.
type hexBytes []byte

func (b *hexBytes) UnmarshalText(text []byte) (err error) {
	*b, err = hex.DecodeString(string(text))
	return err
}

// A file is a file of Project Wycheproof.
type file struct {
	Algorithm     string
	NumberOfTests int
	TestGroups    []group
}

// A group has what its cases share; each test type has fields of its own.
type group struct {
	Type                  string
	TagSize               int // bits
	Sha, MGF, MGFSha      string
	SLen                  int // bytes
	Curve                 string
	ParameterSet          string
	PublicKey, PrivateKey json.RawMessage
	PrivateKeyPkcs8       hexBytes
	PrivateSeed           hexBytes
	Tests                 []vector
}

// A vector is a case.
type vector struct {
	ID                         int `json:"tcId"`
	Comment                    string
	Flags                      []string
	Result                     string // valid, invalid or acceptable
	Key, IV, AAD, Msg, CT, Tag hexBytes
	IKM, Salt, Info, OKM       hexBytes
	Size                       int // bytes
	Password, DK               hexBytes
	IterationCount, DKLen      int
	Sig, Label, Shared         hexBytes
	Private, Public            json.RawMessage
	Seed, EK                   hexBytes
	Ciphertext                 hexBytes `json:"c"`
	Secret                     hexBytes `json:"K"`
	Ctx                        *hexBytes
	Mu                         hexBytes
}

func (v *vector) flagged(flag string) bool { return slices.Contains(v.Flags, flag) }

// read reads a file; what has no route has only its numbers read.
func read(t testing.TB, name string, into any) {
	t.Helper()
	f, err := wycheproof.TestVectors.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := json.NewDecoder(f).Decode(into); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
}

// textOf reads a raw value that is a string.
func textOf(raw json.RawMessage) (s string) {
	_ = json.Unmarshal(raw, &s)
	return s
}

// bytesOf reads a raw value that is a string of hexadecimal digits.
func bytesOf(raw json.RawMessage) []byte {
	b, _ := hex.DecodeString(textOf(raw))
	return b
}
