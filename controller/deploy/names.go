package deploy

import (
	"crypto/sha256"
	"fmt"
	"strings"
)

// volumeLabel names deployment and purpose within the twelve bytes that an
// xfs label has: "ACME-data".
func volumeLabel(label, short string) string {
	room := 12 - len(short) - 1
	if len(label) > room {
		label = label[:room]
	}
	return label + "-" + short
}

// volumeUUID is made from names only, so that a controller that lost its state
// directory still knows its own volumes.
func volumeUUID(label, tag, machine, purpose string) string {
	sum := sha256.Sum256([]byte(strings.Join([]string{"icm volume", label, tag, machine, purpose}, "\x00")))
	b := sum[:16]
	b[6] = b[6]&0x0f | 0x80 // version 8: made by a scheme of our own
	b[8] = b[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[0:4], b[4:6], b[6:8], b[8:10], b[10:16])
}

// ecpName is what application servers call their data server: letters and
// digits only.
func ecpName(machine string) string {
	var b strings.Builder
	for _, r := range strings.ToUpper(machine) {
		if r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' {
			b.WriteRune(r)
		}
	}
	return b.String()
}
