package wire

// Methods of the agent. The comment of each names its request and its answer.
const (
	// MethodFacts asks for everything found out about the node without
	// changing it. FactsRequest → Facts.
	MethodFacts = "facts"
	// MethodCheck runs preflight checks. CheckRequest → CheckReply.
	MethodCheck = "check"
	// MethodLook asks, task by task, what a change would do here, and does
	// nothing. LookRequest → LookReply.
	MethodLook = "look"
	// MethodAnnounce tells the agent what an operation is going to ask of it:
	// the agent refuses changes that are not among these. AnnounceRequest →
	// AnnounceReply.
	MethodAnnounce = "announce"
	// MethodSubmit hands over a change; sending it twice is sending it once.
	// SubmitRequest → SubmitReply.
	MethodSubmit = "submit"
	// MethodEvents streams events as items, from after a number on; with
	// Follow it does not end by itself. EventsRequest → items of Event and
	// Progress, then EventsReply.
	MethodEvents = "events"
	// MethodChanges lists the changes this agent knows, newest last.
	// ChangesRequest → ChangesReply.
	MethodChanges = "changes"
	// MethodAbort stops a change and undoes what it did. AbortRequest → AbortReply.
	MethodAbort = "abort"
	// MethodInstances asks `iris qlist`. InstancesRequest → InstancesReply.
	MethodInstances = "instances"
	// MethodSession runs ObjectScript or SQL in an instance. SessionRequest → SessionReply.
	MethodSession = "session"
	// MethodHealth asks what ails the node. HealthRequest → HealthReply.
	MethodHealth = "health"
	// MethodSurvey asks how the instances on the node were set up.
	// SurveyRequest → SurveyReply.
	MethodSurvey = "survey"
	// MethodRemember hands over what the node is to keep of its deployment.
	// RememberRequest → RememberReply.
	MethodRemember = "remember"
	// MethodRelease forgets the deployment: the agent may be removed after
	// it. ReleaseRequest → ReleaseReply.
	MethodRelease = "release"
)

// Fence says on whose behalf a mutating call is made. The agent keeps the
// highest number it saw for its deployment and refuses lower ones with
// CodeFenced: a controller that lost its lock cannot act.
type Fence struct {
	Deployment string `msgpack:"deployment" json:"deployment"` // id of the state directory, "ICM-…"
	Number     uint64 `msgpack:"number" json:"number"`
}

// LookRequest asks about tasks as they would stand in a change.
type LookRequest struct {
	Tasks []Task `msgpack:"tasks"`
}

// LookReply has one Look for each task of the request, in its order.
type LookReply struct {
	Looks []Look `msgpack:"looks"`
}

// Look is what one task would do, found out without doing anything.
type Look struct {
	// Satisfied means there is nothing to do: the node is as the task wants it.
	Satisfied bool `msgpack:"satisfied" json:"satisfied"`
	// Diffs says what would change, for people.
	Diffs []Diff `msgpack:"diffs,omitempty" json:"diffs,omitempty"`
	// Refused, when not empty, says why the task must not be run at all, such
	// as a volume that holds foreign data. Hint says what to do about it.
	Refused string `msgpack:"refused,omitempty" json:"refused,omitempty"`
	Hint    string `msgpack:"hint,omitempty" json:"hint,omitempty"`
	// Bind is what the task must find unchanged when it runs, such as the
	// identity of a device. The controller puts it into Task.Bind.
	Bind string `msgpack:"bind,omitempty" json:"bind,omitempty"`
	// NoSecrets means that the task, as things stand, asks for none of the
	// secrets that its arguments name.
	NoSecrets bool `msgpack:"no_secrets,omitempty" json:"no_secrets,omitempty"`
}

// Diff is one thing that changes: "vm.swappiness", "60", "5".
type Diff struct {
	What   string `msgpack:"what" json:"what"`
	Before string `msgpack:"before" json:"before"`
	After  string `msgpack:"after" json:"after"`
}

// AnnounceRequest lists the changes of an operation for this node.
type AnnounceRequest struct {
	Fence     Fence  `msgpack:"fence"`
	Operation string `msgpack:"operation"`
	Plan      string `msgpack:"plan"` // digest
	// Changes are the ChangeDigest of every change, in the order of the plan.
	Changes []string `msgpack:"changes"`
}

// AnnounceReply is empty.
type AnnounceReply struct{}

// SubmitRequest hands a change to the agent.
type SubmitRequest struct {
	Fence  Fence  `msgpack:"fence"`
	Change Change `msgpack:"change"`
	// Secrets are what tasks of the change ask for by name. The agent keeps
	// them in a root-only file until the change has ended, and never in the
	// journal.
	Secrets Secrets `msgpack:"secrets,omitempty"`
}

// SubmitReply says where the change stands.
type SubmitReply struct {
	Known  bool   `msgpack:"known"` // the agent had it already
	Status Status `msgpack:"status"`
	Seq    uint64 `msgpack:"seq"` // number of the newest event before the change
}

// EventsRequest asks for the events after a number.
type EventsRequest struct {
	After  uint64 `msgpack:"after"`
	Change string `msgpack:"change,omitempty"` // only this change; "" is all
	Follow bool   `msgpack:"follow"`           // with Change set, ends when the change has ended
}

// EventsReply ends an event stream.
type EventsReply struct {
	Last uint64 `msgpack:"last"`
}

// Item is one item frame of MethodEvents: exactly one field is set.
type Item struct {
	Event    *Event    `msgpack:"event,omitempty"`
	Progress *Progress `msgpack:"progress,omitempty"`
}

// Progress is how far a running task is. It is not recorded and may be lost.
type Progress struct {
	Change string `msgpack:"change"`
	Task   string `msgpack:"task"`
	Done   int64  `msgpack:"done"`  // in Unit
	Total  int64  `msgpack:"total"` // 0 when not known
	Unit   string `msgpack:"unit"`  // "bytes", "seconds", "files"
	Note   string `msgpack:"note,omitempty"`
	// Waiting explains progress that is only time going by.
	Waiting *Waiting `msgpack:"waiting,omitempty"`
}

// ChangesRequest asks for the changes an agent knows.
type ChangesRequest struct {
	ID string `msgpack:"id,omitempty"` // only this one; "" is all
}

// ChangesReply lists changes, newest last.
type ChangesReply struct {
	Changes []ChangeState `msgpack:"changes"`
}

// ChangeState is where a change stands.
type ChangeState struct {
	Change Change      `msgpack:"change" json:"change"`
	Status Status      `msgpack:"status" json:"status"`
	Error  string      `msgpack:"error,omitempty" json:"error,omitempty"`
	Hint   string      `msgpack:"hint,omitempty" json:"hint,omitempty"`
	Tasks  []TaskState `msgpack:"tasks" json:"tasks"` // in the order of Change.Tasks
}

// TaskState is where a task stands, with its log.
type TaskState struct {
	ID     string   `msgpack:"id" json:"id"`
	Status Status   `msgpack:"status" json:"status"`
	Error  string   `msgpack:"error,omitempty" json:"error,omitempty"`
	Log    []string `msgpack:"log,omitempty" json:"log,omitempty"`
}

// AbortRequest stops a change and undoes what it did.
type AbortRequest struct {
	Fence  Fence  `msgpack:"fence"`
	Change string `msgpack:"change"`
}

// AbortReply says where the change stands now; undoing goes on by itself.
type AbortReply struct {
	Status Status `msgpack:"status"`
}

// ReleaseRequest makes the agent forget its deployment.
type ReleaseRequest struct {
	Fence Fence `msgpack:"fence"`
}

// ReleaseReply is empty.
type ReleaseReply struct{}

// InstancesRequest asks for the instances on the node.
type InstancesRequest struct{}

// InstancesReply lists the instances on the node, as `iris qlist` does.
type InstancesReply struct {
	Instances []Instance `msgpack:"instances"`
}

// Instance is one line of `iris qlist`. Fields that the kit's era does not
// print are empty.
type Instance struct {
	Name         string `msgpack:"name" json:"name"`
	Dir          string `msgpack:"dir" json:"dir"`
	Version      string `msgpack:"version" json:"version"`
	Status       string `msgpack:"status" json:"status"`                   // "running", "down", "sign-on inhibited", …
	Since        string `msgpack:"since,omitempty" json:"since,omitempty"` // what stood after the comma
	CPF          string `msgpack:"cpf" json:"cpf"`
	SuperServer  string `msgpack:"superserver" json:"superserver"`
	WebServer    string `msgpack:"webserver" json:"webserver"`
	JDBCGateway  string `msgpack:"jdbc" json:"jdbc"`
	Health       string `msgpack:"health" json:"health"` // "ok", "warn", "alert", "hung", ""
	Product      string `msgpack:"product" json:"product"`
	MirrorType   string `msgpack:"mirror_type" json:"mirror_type"`
	MirrorStatus string `msgpack:"mirror_status" json:"mirror_status"`
	DataDir      string `msgpack:"data_dir" json:"data_dir"`
	SuperServers string `msgpack:"superservers,omitempty" json:"superservers,omitempty"`
	// Mirror is what a running member says of its place in its mirror, asked
	// for MethodFacts only; nil on others and when it does not answer.
	Mirror *MirrorState `msgpack:"mirror,omitempty" json:"mirror,omitempty"`
	// Sharding says what the instance is to a sharded cluster, for MethodFacts
	// only: "enabled", "master" (namespace-level), "node" (node-level), or "".
	Sharding string `msgpack:"sharding,omitempty" json:"sharding,omitempty"`
}

// MirrorState is a member's own word about its mirror, in the words of IRIS.
// Who is primary is asked, never remembered: it may change at any time.
type MirrorState struct {
	Name   string `msgpack:"name" json:"name"`     // of the mirror
	Member string `msgpack:"member" json:"member"` // this member's system name
	Type   string `msgpack:"type" json:"type"`     // "Failover", "Disaster Recovery", …
	Status string `msgpack:"status" json:"status"` // "Primary", "Backup", "Connected", "Synchronizing", …
	// Transfer and Dejournal say how far behind the primary it is: "Active" or
	// "Caught up", else words with a time or a size; empty on the primary and
	// on releases that do not tell.
	Transfer  string `msgpack:"transfer,omitempty" json:"transfer,omitempty"`
	Dejournal string `msgpack:"dejournal,omitempty" json:"dejournal,omitempty"`
	Arbiter   string `msgpack:"arbiter,omitempty" json:"arbiter,omitempty"` // "host:port"
	// CaughtUp says that it has all data of the primary, as far as it knows; a
	// primary has.
	CaughtUp bool `msgpack:"caught_up,omitempty" json:"caught_up,omitempty"`
}

// SessionRequest runs ObjectScript or SQL in an instance, as its owner.
type SessionRequest struct {
	Instance  string `msgpack:"instance"`
	Namespace string `msgpack:"namespace"`
	Language  string `msgpack:"language"` // "objectscript" or "sql"
	Code      string `msgpack:"code"`
	// User and Password are given when the instance asks for them; they go to
	// the session's standard input only.
	User     string `msgpack:"user,omitempty"`
	Password string `msgpack:"password,omitempty"`
	// Limit is how long the code may run, in seconds; 0 is five minutes.
	Limit int `msgpack:"limit,omitempty"`
}

// SessionReply is what the code printed.
type SessionReply struct {
	Out  string `msgpack:"out"`
	Err  string `msgpack:"err"`
	Exit int    `msgpack:"exit"`
	// Failed means the session itself said that the code failed, whatever Exit is.
	Failed bool `msgpack:"failed"`
}
