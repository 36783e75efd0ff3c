package main

import (
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"coffer/p11"
	"coffer/p11/attr"
	"coffer/token"
)

// A filter is how a command line says which objects it means.
type filter struct {
	class, label, uniqueID string
	id                     []byte
	flags                  *pflag.FlagSet
}

func (f *filter) addTo(cmd *cobra.Command) {
	f.flags = cmd.Flags()
	f.flags.StringVar(&f.class, "class", "", "`class` of the objects, such as private-key")
	complete(cmd, "class", classNames())
	f.addNames(cmd)
}

// addNames adds what names one object, or the two of a pair.
func (f *filter) addNames(cmd *cobra.Command) {
	f.flags = cmd.Flags()
	f.flags.StringVar(&f.label, "label", "", "`label` of the object")
	f.flags.BytesHexVar(&f.id, "id", nil, "CKA_ID of the object, in `hex`")
	f.flags.StringVar(&f.uniqueID, "unique-id", "", "CKA_UNIQUE_ID of the object, 32 `hex` digits")
}

// template returns the attributes that the objects have.
func (f *filter) template() (attr.Values, error) {
	var out attr.Values
	if f.flags.Changed("class") {
		c, err := classOf(f.class)
		if err != nil {
			return nil, err
		}
		out = append(out, attr.NewULong(p11.CKA_CLASS, c))
	}
	if f.flags.Changed("label") {
		out = append(out, attr.NewString(p11.CKA_LABEL, f.label))
	}
	if f.flags.Changed("id") {
		out = append(out, attr.NewBytes(p11.CKA_ID, f.id))
	}
	if f.flags.Changed("unique-id") {
		out = append(out, attr.NewString(p11.CKA_UNIQUE_ID, f.uniqueID))
	}
	return out, nil
}

// search returns the objects of a session that have every attribute of the
// template, and, as the last of several errors, what could not be read. The
// module's own objects are left out unless the template names their class.
func search(m *token.Module, s p11.SessionHandle, template attr.Values) ([]objectView, error) {
	if err := m.FindObjectsInit(s, template); err != nil {
		return nil, err
	}
	found := []objectView{}
	unreadable, first := 0, error(nil)
	page := make([]p11.ObjectHandle, 256)
	for {
		n, err := m.FindObjects(s, page)
		if err != nil {
			return nil, err
		}
		if n == 0 {
			break
		}
		for _, h := range page[:n] {
			v, err := view(m, s, h)
			switch {
			case err != nil:
				if unreadable++; first == nil {
					first = err
				}
			case v.Class != "profile" || template.Has(p11.CKA_CLASS) || template.Has(p11.CKA_UNIQUE_ID):
				found = append(found, v)
			}
		}
	}
	sortViews(found)
	if first != nil {
		return found, p11.Errorf(p11.Code(first), "%d objects cannot be read; the first: %s", unreadable, sentence(first))
	}
	return found, m.FindObjectsFinal(s)
}
