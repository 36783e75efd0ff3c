// Command asm writes the kernels of package rsacrt: Montgomery multiplication
// and squaring for amd64 with MULX, ADCX and ADOX. docs/RSA.md has the
// algorithm and why no carry is lost.
package main

import (
	. "github.com/mmcloughlin/avo/build"
)

func main() {
	ConstraintExpr("amd64,!purego")
	mul8()
	mulAdd8()
	reduce8()
	cross8()
	mulWide()
	montReduce()
	montMul()
	montSquare()
	pick()
	Generate()
}
