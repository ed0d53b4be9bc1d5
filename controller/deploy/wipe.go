package deploy

import (
	"fmt"
	"strings"
)

// knownWipes refuses a consent that names no device of the deployment: a
// mistyped one must not look as if it had been given.
func (j *Job) knownWipes(s *site) error {
	known := map[string]bool{}
	for _, n := range s.settings {
		for _, v := range n.Volumes {
			if v.Wipe {
				known[n.Machine+":"+v.Device] = true
				known[n.Machine+":"+strings.TrimPrefix(v.Device, "/dev/")] = true
			}
		}
	}
	for _, w := range j.Wipe {
		if !known[w] {
			return refuse(fmt.Sprintf("-wipe %s names no volume of this deployment", w), "write it as NODE:DEVICE, as the refusal of the volume does")
		}
	}
	return nil
}
