package deploy

import "icm/internal/kitname"

// older reports whether version a is older than b.
func older(a, b string) bool { return kitname.Compare(a, b) < 0 }
