package iris

import "icm/internal/wire"

// Sharding says what an instance's configuration makes of it.
func Sharding(in wire.Instance) string { return "" }
