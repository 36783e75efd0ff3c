//go:build amd64 && !purego

package rsacrt

import "golang.org/x/sys/cpu"

// The kernels use MULX (BMI2), ADCX and ADOX (ADX) and, to pick from a table,
// AVX2.
var supported = cpu.X86.HasBMI2 && cpu.X86.HasADX && cpu.X86.HasAVX2
