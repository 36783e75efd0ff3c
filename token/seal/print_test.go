package seal

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"testing"
)

func TestNothingPrintsAMaster(t *testing.T) {
	const text = "correct horse battery staple!!!!"
	m, err := newMaster(func(key []byte) error { copy(key, text); return nil })
	if err != nil {
		t.Fatal(err)
	}
	defer m.Wipe()
	nested := struct{ M, m *Master }{m, m}
	var out bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%c", "%p", "%T", "%b"} {
		for _, v := range []any{m, nested, &nested, []*Master{m}} {
			fmt.Fprintf(&out, verb+"\n", v)
		}
	}
	slog.New(slog.NewTextHandler(&out, nil)).Info("m", "n", nested, "m", m)
	slog.New(slog.NewJSONHandler(&out, nil)).Info("m", "n", nested, "m", m)
	if err := json.NewEncoder(&out).Encode(nested); err != nil {
		t.Fatal(err)
	}
	for i := range len(text) - 3 {
		part := text[i : i+4]
		for _, form := range []string{part, fmt.Sprintf("%x", part), fmt.Sprintf("%X", part), fmt.Sprint([]byte(part))[1:12]} {
			if bytes.Contains(out.Bytes(), []byte(form)) {
				t.Fatalf("%q is in the output", form)
			}
		}
	}
	if m.String() != redacted {
		t.Errorf("got %s, want %s", m, redacted)
	}
}
