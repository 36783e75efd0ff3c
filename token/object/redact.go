package object

import (
	"fmt"
	"log/slog"

	"coffer/p11"
)

// String names the object for a log, without any value.
func (o *Object) String() string {
	if o.IsKey() {
		return fmt.Sprintf("%v %v %v", o.class, o.keyType, o.id)
	}
	return fmt.Sprintf("%v %v", o.class, o.id)
}

// Format writes String for every verb, so that no verb prints the fields.
func (o *Object) Format(f fmt.State, _ rune) { fmt.Fprint(f, o.String()) }

// LogValue shows the object in a structured log: what it is, and of a public
// object its label.
func (o *Object) LogValue() slog.Value {
	attrs := []slog.Attr{slog.String("id", o.id.String()), slog.String("class", o.class.String())}
	if o.IsKey() {
		attrs = append(attrs, slog.String("type", o.keyType.String()))
	}
	if !o.Private() {
		attrs = append(attrs, slog.String("label", string(o.values.Bytes(p11.CKA_LABEL))))
	}
	return slog.GroupValue(attrs...)
}

// Format names what the draft will be, for every verb.
func (d *Draft) Format(f fmt.State, _ rune) { fmt.Fprintf(f, "draft of a %v", d.kind.class) }
