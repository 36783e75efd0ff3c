package p11test

import "testing"

// OpenC initialises the built library with a configuration string, of which
// there may be none. With an error there is no driver.
func OpenC(t *testing.T, config string) (Driver, error) {
	t.Helper()
	d := &cDriver{t: t, lib: Load(t)}
	if err := d.initialize(config); err != nil {
		return nil, err
	}
	return d, nil
}
