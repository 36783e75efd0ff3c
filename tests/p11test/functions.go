package p11test

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"coffer/p11"
	"coffer/tests/built"
)

// A Function is a function of the standard: its arguments, and the codes that
// its section lists.
type Function struct {
	Name      string
	Arguments []Argument
	returns   map[p11.RV]bool
}

// An Argument is a parameter of a function in C.
type Argument struct {
	Name, Type string
}

// unlisted are codes that a function gives although its section does not list
// them, with the reason.
var unlisted = map[string]map[p11.RV]string{
	"C_CreateObject": {
		p11.CKR_PUBLIC_KEY_INVALID: "the code's definition names the function",
		p11.CKR_KEY_SIZE_RANGE:     "a key of a size that is not supported, for which no code is listed",
	},
	"C_GetSessionValidationFlags": {p11.CKR_ARGUMENTS_BAD: "a type of flags that there is not, for which no code is listed"},
	"C_AsyncComplete":             {p11.CKR_OPERATION_NOT_INITIALIZED: "the codes are those of the function that is named, and none is pending"},
	"C_AsyncGetID":                {p11.CKR_OPERATION_NOT_INITIALIZED: "the text has it, the list does not"},

	"C_EncryptUpdate":          {p11.CKR_FUNCTION_NOT_SUPPORTED: wholeInput},
	"C_DecryptUpdate":          {p11.CKR_FUNCTION_NOT_SUPPORTED: wholeInput},
	"C_SignUpdate":             {p11.CKR_FUNCTION_NOT_SUPPORTED: wholeInput},
	"C_VerifyUpdate":           {p11.CKR_FUNCTION_NOT_SUPPORTED: wholeInput},
	"C_WrapKey":                {p11.CKR_KEY_FUNCTION_NOT_PERMITTED: useDenied},
	"C_UnwrapKey":              {p11.CKR_KEY_FUNCTION_NOT_PERMITTED: useDenied},
	"C_DeriveKey":              {p11.CKR_KEY_FUNCTION_NOT_PERMITTED: useDenied},
	"C_VerifySignatureUpdate":  {p11.CKR_FUNCTION_NOT_SUPPORTED: wholeInput},
	"C_VerifySignature":        {p11.CKR_OPERATION_ACTIVE: "the operation was begun in parts, for which no code is listed"},
	"C_VerifySignatureFinal":   {p11.CKR_FUNCTION_NOT_SUPPORTED: wholeInput},
	"C_SignMessageBegin":       {p11.CKR_FUNCTION_NOT_SUPPORTED: wholeInput},
	"C_VerifyMessageBegin":     {p11.CKR_FUNCTION_NOT_SUPPORTED: wholeInput},
	"C_WrapKeyAuthenticated":   {p11.CKR_KEY_FUNCTION_NOT_PERMITTED: useDenied},
	"C_UnwrapKeyAuthenticated": {p11.CKR_KEY_FUNCTION_NOT_PERMITTED: useDenied},
	"C_DecryptMessageBegin":    {p11.CKR_ENCRYPTED_DATA_LEN_RANGE: "the message is said to be too long, for which no code is listed"},
	"C_EncryptMessageBegin":    {p11.CKR_DATA_LEN_RANGE: "the message is said to be too long, for which no code is listed"},
	"C_EncapsulateKey": {
		p11.CKR_KEY_FUNCTION_NOT_PERMITTED: useDenied,
		p11.CKR_BUFFER_TOO_SMALL:           "the function uses the convention of section 5.2",
	},
	"C_DecapsulateKey": {p11.CKR_KEY_FUNCTION_NOT_PERMITTED: useDenied},
}

const (
	useDenied  = "the key's attribute for the use is false, for which no code is listed"
	wholeInput = "the mechanism takes its input in one part, for which no code is listed"
)

// May reports whether the standard has rv for the function.
func (f *Function) May(rv p11.RV) bool {
	// A function with a session handle has this code, also where its section
	// forgets it (C_SessionCancel).
	if rv == p11.CKR_SESSION_HANDLE_INVALID && len(f.Arguments) > 0 && f.Arguments[0].Type == "CK_SESSION_HANDLE" {
		return true
	}
	_, own := unlisted[f.Name][rv]
	return own || f.returns[rv]
}

// readFunctions reads the table of functions, in the order of
// CK_FUNCTION_LIST_3_2.
func readFunctions() ([]Function, error) {
	root, err := built.Root()
	if err != nil {
		return nil, err
	}
	text, err := os.ReadFile(filepath.Join(root, "p11", "spec", "functions.tsv"))
	if err != nil {
		return nil, err
	}
	codes := map[string]p11.RV{}
	for rv := range p11.RV(1 << 12) { // all but the vendors'
		codes[rv.String()] = rv
	}
	var out []Function
	for i, line := range strings.Split(strings.TrimRight(string(text), "\n"), "\n")[1:] {
		columns := strings.Split(line, "\t")
		if n, err := strconv.Atoi(columns[5]); err != nil || n != i {
			return nil, fmt.Errorf("functions.tsv: %s is not in the order of the list", columns[0])
		}
		f := Function{Name: columns[0], returns: map[p11.RV]bool{}}
		for _, arg := range strings.Split(columns[10], "; ") {
			if parts := strings.Split(arg, ":"); len(parts) == 3 {
				f.Arguments = append(f.Arguments, Argument{parts[0], parts[1]})
			}
		}
		for _, name := range strings.Fields(columns[17]) {
			rv, ok := codes[name]
			if !ok {
				return nil, fmt.Errorf("functions.tsv: there is no code %s", name)
			}
			f.returns[rv] = true
		}
		out = append(out, f)
	}
	return out, nil
}
