//go:build !amd64

package aesblocks

// None for this processor yet.
var kernels []kernel

func expand(*[scheduleSize]byte, []byte, int) {}
func invert(_, _ *[scheduleSize]byte, _ int)  {}
