// Package receipt says, for people who were not there, what an operation
// installed where: a small JSON file, signed in minisign's format. It can be
// verified on any machine, without a state directory and without a network.
package receipt

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"icm/controller/kitsource"
	"icm/controller/signing"
	"icm/internal/hint"
)

const format = 1

// Suffix is what the name of a receipt's signature has behind the receipt's own,
// as minisign expects it.
const Suffix = ".minisig"

// MaxSize bounds what is read as a receipt, in bytes: thousands of nodes.
const MaxSize = 64 << 20

// Receipt is what one operation did. It has no secrets in it.
type Receipt struct {
	Format     int      `json:"format"`
	Deployment string   `json:"deployment"` // ICM-…, as the state directory is called
	Operation  string   `json:"operation"`  // its id
	Command    []string `json:"command"`    // without secrets
	By         []Run    `json:"by"`         // who began it, and who resumed it
	Ended      string   `json:"ended"`      // RFC 3339, UTC
	// Result is "done", "partial", "failed", "refused", "cancelled", or
	// "recovered" where only the nodes still knew of the operation.
	Result string `json:"result"`
	Error  string `json:"error,omitempty"`
	// UndoneBy is the id of a later operation that took this one back.
	UndoneBy string `json:"undone_by,omitempty"`
	Plan     string `json:"plan"` // digest of the plan that was run
	Kits     []Kit  `json:"kits"`
	Nodes    []Node `json:"nodes"`
	Issued   string `json:"issued"` // of this receipt: RFC 3339, UTC
	Icm      string `json:"icm"`    // build that wrote it
}

// Run is somebody who worked on an operation.
type Run struct {
	User  string `json:"user"`
	Host  string `json:"host"`
	Since string `json:"since"` // RFC 3339, UTC
}

// Kit is what was installed, and where it came from.
type Kit struct {
	Name   string `json:"name"`
	SHA256 string `json:"sha256,omitempty"` // "" where nobody said and no node had to compare
	Size   int64  `json:"size,omitempty"`   // bytes; 0 where the nodes fetched it themselves
	From   string `json:"from"`             // "bundle:…", "local:…", or the address that the nodes fetched it from
	// Bundle is zero for a kit that came from none.
	Bundle kitsource.Bundle `json:"bundle,omitzero"`
}

// Node is what became of one machine.
type Node struct {
	Machine string `json:"machine"`
	// Result is "done" when every stage was, and what the first other stage
	// says when not.
	Result   string   `json:"result"`
	Instance string   `json:"instance,omitempty"`
	Version  string   `json:"version,omitempty"` // that was installed, or upgraded to
	Kits     []string `json:"kits,omitempty"`    // names
	Stages   []Stage  `json:"stages"`
}

// The results of a stage on a node, besides the status words of changes.
const (
	Done     = "done"
	NotBegun = "not begun"
	// Unknown means that the node was asked, and the line broke before it said
	// how it ended.
	Unknown = "unknown"
	Skipped = "skipped" // the node did not answer, and was left out on request
)

// Stage is what one node was asked to do in one stage of the plan.
type Stage struct {
	Name   string `json:"name"`
	Result string `json:"result"`
	Error  string `json:"error,omitempty"`
}

// Conclude sets the results that follow from others.
func (n *Node) Conclude() {
	n.Result = Done
	for _, s := range n.Stages {
		if s.Result != Done {
			n.Result = s.Result
			return
		}
	}
}

// encode is the one form of a receipt: signatures are of bytes.
func (r *Receipt) encode() ([]byte, error) {
	data, err := json.MarshalIndent(r, "", "  ")
	return append(data, '\n'), err
}

// comment is the trusted comment of a receipt's signature: nothing else that the
// same key signs is taken for a receipt.
func (r *Receipt) comment() string {
	return fmt.Sprintf("icm receipt of operation %s of %s", r.Operation, r.Deployment)
}

// Sign returns the text of the receipt, and that of its signature.
func (r *Receipt) Sign(key signing.Private, now time.Time) (text, signature []byte, err error) {
	r.Format, r.Issued = format, now.UTC().Format(time.RFC3339)
	if text, err = r.encode(); err != nil {
		return nil, nil, fmt.Errorf("cannot write the receipt: %w", err)
	}
	return text, signing.Sign(key, text, r.comment()), nil
}

// Verify checks the signature first, with whichever of the keys it names, and
// reads the receipt then.
func Verify(text, signature []byte, keys []signing.Public) (*Receipt, signing.Public, error) {
	s, err := signing.ParseSignature(signature)
	if err != nil {
		return nil, signing.Public{}, fmt.Errorf("the receipt is refused: %w", err)
	}
	key, err := s.Verify(keys, text)
	switch {
	case errors.Is(err, signing.ErrUnknownKey):
		return nil, key, hint.New(fmt.Errorf("the receipt is refused: %w", err), "-pubkey names the key of the site that wrote it; ask there for it, by another way than the receipt came")
	case err != nil:
		return nil, key, hint.New(fmt.Errorf("the receipt is refused: %w", err), "ask for it again where it was written")
	}
	r, err := parse(text)
	if err != nil {
		return nil, key, fmt.Errorf("the receipt is refused: %w", err)
	}
	if s.Comment != r.comment() {
		return nil, key, fmt.Errorf("the receipt is refused: its signature is of something else: %s", s.Comment)
	}
	return r, key, nil
}

// parse reads a receipt strictly: one form, and nothing unknown.
func parse(text []byte) (*Receipt, error) {
	var known struct {
		Format int `json:"format"`
	}
	if err := json.Unmarshal(text, &known); err != nil {
		return nil, fmt.Errorf("it is no receipt: %v", err)
	}
	if known.Format != format {
		return nil, hint.New(fmt.Errorf("it has format %d, this icm knows format %d", known.Format, format), "a newer icm wrote it: use that one")
	}
	var r Receipt
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&r); err != nil {
		return nil, fmt.Errorf("it is damaged: %v", err)
	}
	if again, err := r.encode(); err != nil || !bytes.Equal(again, text) {
		return nil, errors.New("it is not in the form that icm writes")
	}
	return &r, nil
}
