package crash

import (
	"fmt"

	"coffer/p11"
	"coffer/tests/p11test"
)

// changePIN changes the user PIN of the token in slot 0.
func (w *worker) changePIN() error {
	if err := w.session(); err != nil {
		return err
	}
	w.n++
	const name = "slot 0 user PIN"
	was, is := w.own[name], "user-"+w.version()
	return w.do(change{After: state{name: is}, Before: state{name: was}}, func(*change) error {
		return w.h.SetPIN(w.s, []byte(was), []byte(is))
	})
}

// changeToken is the SO of the token in slot 1, and makes new tokens.
func (w *worker) changeToken() error {
	w.n++
	switch w.r.IntN(8) {
	case 0:
		return w.initFree()
	case 1, 2, 3:
		return w.initAgain()
	case 4, 5:
		return w.asSO("slot 1 SO PIN", func(s p11.SessionHandle, was, is string) error {
			return w.h.SetPIN(s, []byte(was), []byte(is))
		})
	}
	return w.asSO("slot 1 user PIN", func(s p11.SessionHandle, _, is string) error {
		return w.h.InitPIN(s, []byte(is))
	})
}

func (w *worker) asSO(name string, call func(s p11.SessionHandle, was, is string) error) error {
	s, err := w.h.OpenSession(1, p11test.RW)
	if err != nil {
		return err
	}
	defer w.h.CloseSession(s)
	if err := w.h.Login(s, p11.CKU_SO, []byte(w.own["slot 1 SO PIN"])); err != nil {
		return err
	}
	was, is := w.own[name], "pin-"+w.version()
	return w.do(change{After: state{name: is}, Before: state{name: was}}, func(*change) error {
		return call(s, was, is)
	})
}

// initAgain initialises the token in slot 1 anew: its user PIN is gone, and all
// objects but the one that cannot be destroyed.
func (w *worker) initAgain() error {
	v := w.version()
	return w.do(change{
		Before: state{"slot 1": w.own["slot 1"], "slot 1 user PIN": w.own["slot 1 user PIN"]},
		After:  state{"slot 1": v, "slot 1 user PIN": ""},
	}, func(*change) error {
		return w.h.InitToken(1, []byte(w.own["slot 1 SO PIN"]), v)
	})
}

// mostTokens bounds how many there are to look at.
const mostTokens = 8

// initFree makes a token of the free slot.
func (w *worker) initFree() error {
	slots, err := w.h.GetSlotList(true, true)
	if err != nil || len(slots) > mostTokens {
		return err
	}
	v, slot := w.version(), slots[len(slots)-1]
	name := fmt.Sprintf("slot %d", slot)
	return w.do(change{
		Before: state{name: "", name + " SO PIN": ""},
		After:  state{name: v, name + " SO PIN": soPIN},
	}, func(*change) error {
		return w.h.InitToken(slot, []byte(soPIN), v)
	})
}
