package cli

import (
	"strings"
	"testing"
)

func TestABundleShowsHowFarItIsOnATerminalOnly(t *testing.T) {
	const total = 400 << 20
	for _, c := range []struct {
		terminal bool
		json     string
		shown    bool
	}{{true, "", true}, {false, "", false}, {true, "-", false}} {
		s := &screen{columns: 80}
		o := bundleOptions{json: jsonFlag{c.json}}
		moved, end := o.progress(&Env{Out: s, Terminal: c.terminal}, "acme.icmb", "Loading", total)
		if moved == nil != !c.shown {
			t.Fatalf("%+v: shown %v", c, moved != nil)
		}
		if moved != nil {
			draws := 0
			last := ""
			for done := int64(0); done <= total; done += 1 << 18 {
				moved(done)
				if now := strings.Join(s.rows, "|"); now != last {
					draws, last = draws+1, now
				}
			}
			if !strings.Contains(last, "acme.icmb  Loading [####") || !strings.Contains(last, " of 400.0 MiB") || draws < 50 || draws > 110 {
				t.Errorf("drawn %d times, at last %q", draws, last)
			}
		}
		end()
		if left := strings.Join(s.rows, ""); left != "" {
			t.Errorf("%q was left on the screen", left)
		}
	}
}
