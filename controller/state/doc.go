// Package state keeps the deployment's files: what the controller must not
// lose.
//
// # State directory
//
// A [Dir] is ICM-<id>/, mode 0700. Its name is the id of the deployment.
//
//	ICM-172807747058302123/
//	  deployment.json        id and format number of this directory
//	  ACME-DM-TEST/          one per definition: the provider's files
//	    ACME-DM-TEST-0001/   one per node: outputs such as ssh.out
//	  known_hosts            pinned SSH host keys
//	  lock, lock.json        who is changing the deployment
//	  operations/<id>/       what was done: plan, who, every event, outcome
//
// # Instances file
//
// instances.json is ICM's, in ICM's form; its name is inherited: it lists
// nodes. It lies where the user wants it, by default beside the definitions.
//
// # Rules
//
// Every file is written to the side, synced and renamed, or appended and
// synced. Each of our own carries a format number, and an icm that does not
// know the number refuses the file in words. Secrets are in none of them.
package state
