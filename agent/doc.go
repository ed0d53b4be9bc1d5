// Icm-agent is the part of icm that runs on each node, as a systemd service.
//
//	icm-agent serve                      answer controllers, run changes
//	icm-agent dial                       join standard input and output to the service
//	icm-agent hello                      print build and process of the service
//	icm-agent put NAME SIZE SHA256       take a file from standard input
//	icm-agent journal                    print the task journal
//	icm-agent version                    print build and protocol
//
// What it does for a change is in agent/engine and agent/tasks.
package main
