package spec

// shape is what a JSON value is.
type shape int

const (
	shapeMissing shape = iota // damaged: a problem has been told already
	shapeNull
	shapeScalar // string, number, true, false: all become text
	shapeObject
	shapeArray
)

// node is one JSON value and where it stands. An own parser is needed because
// encoding/json stops at the first problem, forgets where values stood, and
// points behind a missing comma instead of at it.
type node struct {
	shape   shape
	at      int // offset of its first byte
	text    string
	members []member // of an object, in order, repeated names included
	items   []node   // of an array
}

// member is one "name": value of an object.
type member struct {
	name  string
	at    int // offset of the name
	value node
}

func (s shape) String() string {
	switch s {
	case shapeNull:
		return "null"
	case shapeScalar:
		return "a single value"
	case shapeObject:
		return "an object"
	case shapeArray:
		return "an array"
	default:
		return "nothing"
	}
}
