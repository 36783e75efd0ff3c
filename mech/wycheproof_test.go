package mech_test

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
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

// group and vector are what the files of Project Wycheproof for symmetric
// algorithms have; a file has the fields that its algorithm needs.
type group struct {
	TagSize int // bits
	Tests   []vector
}

type vector struct {
	ID                         int `json:"tcId"`
	Comment                    string
	Result                     string // valid, invalid or acceptable
	Key, IV, AAD, Msg, CT, Tag hexBytes
	IKM, Salt, Info, OKM       hexBytes
	Size                       int
	Password, DK               hexBytes
	IterationCount, DKLen      int
	Flags                      []string
}

func (v *vector) flagged(flag string) bool { return slices.Contains(v.Flags, flag) }

// eachWycheproof runs check as a subtest for each vector of a file.
func eachWycheproof(t *testing.T, file string, check func(*testing.T, group, vector)) {
	t.Helper()
	f, err := wycheproof.TestVectors.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var all struct {
		NumberOfTests int
		TestGroups    []group
	}
	if err := json.NewDecoder(f).Decode(&all); err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, g := range all.TestGroups {
		for _, v := range g.Tests {
			n++
			t.Run(fmt.Sprint(file, " ", v.ID, " ", v.Comment), func(t *testing.T) { check(t, g, v) })
		}
	}
	if n == 0 || n != all.NumberOfTests {
		t.Errorf("%s has %d tests, not %d", file, n, all.NumberOfTests)
	}
}
