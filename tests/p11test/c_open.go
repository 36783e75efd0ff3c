package p11test

import "testing"

// OpenC initialises the built library with a configuration string, of which
// there may be none. With an error there is no driver. It is for stores that
// cannot be opened, or closed: the standard has no code of C_Initialize and
// C_Finalize that would say so, and coffer uses those of other functions.
func OpenC(t *testing.T, config string) (Driver, error) {
	t.Helper()
	d := &cDriver{t: t, lib: Load(t), storeMayFail: true}
	if err := d.initialize(config); err != nil {
		return nil, err
	}
	return d, nil
}
