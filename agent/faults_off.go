//go:build !faults

package main

import "icm/agent/engine"

// faults is what crash tests need: an agent built with the tag "faults" kills
// itself where ICM_AGENT_FAULT says. A released agent has no such thing.
func faults(world) (func(engine.FaultPoint) error, error) { return nil, nil }
