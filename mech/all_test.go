package mech_test

import (
	"testing"

	"coffer/mech"
	"coffer/mech/mechtest"
)

func TestEveryMechanism(t *testing.T) {
	t.Parallel()
	mechtest.Run(t, mech.NewRegistry(mech.All()...))
}
