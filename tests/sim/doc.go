// Package sim is a site in memory, for tests of the controller: nodes that run
// the agent's real engine and server over machines that are only simulated, and
// the world in which a job reaches them over the real wire.
package sim
