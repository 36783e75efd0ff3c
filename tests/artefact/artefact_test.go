// Package artefact looks at the built library as a loader does.
package artefact

import (
	"bytes"
	"debug/elf"
	"os"
	"slices"
	"strings"
	"testing"

	"coffer/tests/built"
)

// allowedLibraries are what a host can be expected to have loaded: the C
// library, by its parts of before glibc 2.34 too. Any other would have to be
// there on every machine, and might clash with the host's own.
var allowedLibraries = []string{"libc.so.6", "libpthread.so.0", "libdl.so.2", "libresolv.so.2"}

func open(t *testing.T) *elf.File {
	t.Helper()
	f, err := elf.Open(built.Lib(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// functions are the names in the standard's table.
func functions(t *testing.T) []string {
	t.Helper()
	data, err := os.ReadFile("../../p11/spec/functions.tsv")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for line := range strings.Lines(string(data)) {
		if name, _, _ := strings.Cut(line, "\t"); strings.HasPrefix(name, "C_") {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

func TestExportsAreTheFunctionsOfTheStandard(t *testing.T) {
	symbols, err := open(t).DynamicSymbols()
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, s := range symbols {
		if s.Section != elf.SHN_UNDEF {
			got = append(got, s.Name)
		}
	}
	slices.Sort(got)
	want := functions(t)
	if len(want) != 104 || !slices.Equal(got, want) {
		t.Errorf("got %d symbols\n%v\nwant %d\n%v", len(got), got, len(want), want)
	}
}

func TestNeedsNoLibraryButTheSystems(t *testing.T) {
	libs, err := open(t).ImportedLibraries()
	if err != nil {
		t.Fatal(err)
	}
	for _, lib := range libs {
		if !slices.Contains(allowedLibraries, lib) {
			t.Errorf("the library needs %s", lib)
		}
	}
}

func TestLoading(t *testing.T) {
	f := open(t)
	has := func(tag elf.DynTag) bool {
		v, err := f.DynValue(tag)
		if err != nil {
			t.Fatal(err)
		}
		return len(v) > 0
	}
	if has(elf.DT_TEXTREL) {
		t.Error("the library has text relocations")
	}
	if has(elf.DT_RPATH) || has(elf.DT_RUNPATH) {
		t.Error("the library brings a search path")
	}
	if !has(elf.DT_SYMBOLIC) {
		t.Error("the library could be made to call a host's functions of the same name: it is not linked -Bsymbolic")
	}
	flags, err := f.DynValue(elf.DT_FLAGS_1)
	if err != nil {
		t.Fatal(err)
	}
	if len(flags) == 0 || elf.DynFlag1(flags[0])&elf.DF_1_NODELETE == 0 {
		t.Error("dlclose would unmap the library under the Go runtime: it is not linked -z nodelete")
	}
	for _, p := range f.Progs {
		if p.Type == elf.PT_GNU_STACK && p.Flags&elf.PF_X != 0 {
			t.Error("the library asks for an executable stack")
		}
		if p.Type == elf.PT_LOAD && p.Flags&(elf.PF_W|elf.PF_X) == elf.PF_W|elf.PF_X {
			t.Error("the library has memory that is both writable and executable")
		}
	}
}

// The settings of the Go runtime are part of the build command; see package
// cshim for what each prevents.
func TestRuntimeSettings(t *testing.T) {
	data, err := os.ReadFile(built.Lib(t))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(data, []byte("asyncpreemptoff=1,invalidptr=0,containermaxprocs=0,updatemaxprocs=0,clobberfree=1")) {
		t.Error("the library was built without -X runtime.godebugDefault=…")
	}
}

// Debian 11 and RHEL 9 are the oldest hosts.
func TestGlibcFloor(t *testing.T) {
	symbols, err := open(t).ImportedSymbols()
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range symbols {
		v, ok := strings.CutPrefix(s.Version, "GLIBC_2.")
		if major, _, _ := strings.Cut(v, "."); ok && (len(major) > 2 || len(major) == 2 && major > "34") {
			t.Errorf("%s needs glibc 2.%s", s.Name, v)
		}
	}
}

// The C side passes calls on; what is more than that belongs in Go.
func TestEntryPointsAreSmall(t *testing.T) {
	symbols, err := open(t).DynamicSymbols()
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range symbols {
		if s.Section != elf.SHN_UNDEF && s.Size > 1024 {
			t.Errorf("%s has %d bytes", s.Name, s.Size)
		}
	}
}
