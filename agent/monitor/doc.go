// Package monitor is how the agent watches its node: once a minute it looks at
// services, instances, ports, file systems, licences, messages.log, and at
// whether everything that icm set still is as icm set it. What it finds it
// keeps, with since when, over restarts; `icm health` asks for it.
//
// It disturbs nothing: it only looks, does one thing at a time, runs programs
// with a limit, and gives up at once when a change begins. A look that fails is
// a finding itself, and ends nothing.
package monitor
