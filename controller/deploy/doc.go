// Package deploy is the workflow: what happens between a command that was
// typed and the nodes. It never prints; it tells a [Reporter].
//
// # Operation
//
// Everything that alters anything is an operation. It is planned, recorded,
// run, and can be run again.
//
// # Plan
//
// A plan is data: stages, in each the changes that may run at the same time,
// one per node, in each the tasks. `icm plan VERB` prints what `icm VERB`
// runs; the same functions make both.
//
// # Draft, look, plan
//
// A recipe says which tasks a node of a role needs, as if nothing were there:
// the draft. Every node is then asked what each task would do (a look), and
// only what is not yet as it should be goes into the plan. So running a
// command again plans what is left, and after success nothing is.
package deploy
