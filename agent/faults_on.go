//go:build faults

package main

import (
	"icm/agent/engine"
	"icm/agent/engine/crash"
)

// faults makes the agent kill itself at the record that ICM_AGENT_FAULT names,
// such as "before:17", "after:17" or "torn:17:25".
func faults(w world) (func(engine.FaultPoint) error, error) {
	return crash.At(w.Getenv("ICM_AGENT_FAULT"))
}
