package wire

import "time"

// Membership is what a node keeps of the deployment it belongs to, so that a
// state directory that was lost can be made again. It holds no secrets.
type Membership struct {
	Deployment  string `msgpack:"deployment" json:"deployment"`
	MachineName string `msgpack:"machine_name" json:"machine_name"`
	Role        string `msgpack:"role" json:"role"`
	Definition  string `msgpack:"definition" json:"definition"` // "ACME-DM-TEST"
	Label       string `msgpack:"label" json:"label"`
	Tag         string `msgpack:"tag" json:"tag"`
	// Fields are those of the node's entry in the instances file.
	Fields map[string]string `msgpack:"fields" json:"fields"`
	// Fence is the highest number the node has seen; the agent fills it in.
	Fence   uint64    `msgpack:"fence" json:"fence"`
	Updated time.Time `msgpack:"updated" json:"updated"`
}

// RememberRequest hands a membership over. It replaces the one before.
type RememberRequest struct {
	Fence      Fence      `msgpack:"fence"`
	Membership Membership `msgpack:"membership"`
}

// RememberReply is empty.
type RememberReply struct{}
