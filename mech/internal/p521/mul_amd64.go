package p521

import "golang.org/x/sys/cpu"

var hasKernel = cpu.X86.HasBMI2 && cpu.X86.HasADX

// mul sets z = a·b. z may be a or b.
//
//go:noescape
func mul(z, a, b *element)

// square sets z = a². z may be a.
//
//go:noescape
func square(z, a *element)
