//go:build !amd64

package p521

const hasKernel = false

func mul(z, a, b *element) { panic("p521: there is no kernel for this processor") }

func square(z, a *element) { panic("p521: there is no kernel for this processor") }
