package p521

import "crypto/elliptic"

var order = [Size]byte(elliptic.P521().Params().N.FillBytes(make([]byte, Size)))

// reduceByOrder subtracts the order from a coordinate that is not below it. The
// coordinate is below p, which is less than twice the order.
func reduceByOrder(b *[Size]byte) {
	var less [Size]byte
	borrow := 0
	for i := Size - 1; i >= 0; i-- {
		d := int(b[i]) - int(order[i]) - borrow
		less[i] = byte(d)
		borrow = int(uint(d)>>8) & 1
	}
	if borrow == 0 {
		*b = less
	}
}
