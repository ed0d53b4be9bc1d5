package state

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"time"
)

const debtsFormat = 1

// Debt is what a node was to do while it did not answer.
type Debt struct {
	Node string `json:"node"`
	Verb string `json:"verb"` // "install"
	// Fields were set on the command line of the operation: without them its
	// verb may mean something else, such as another kit.
	Fields    map[string]string `json:"fields,omitempty"`
	Operation string            `json:"operation"` // id of the one that left the node out
	Since     time.Time         `json:"since"`
	Why       string            `json:"why"` // what was seen of the node
}

func (d Debt) String() string {
	return fmt.Sprintf("%s owes %s since %s: %s (operation %s left it out)", d.Node, d.Verb, d.Since.Local().Format("2006-01-02 15:04"), d.Why, d.Operation)
}

type debtsFile struct {
	Format int    `json:"format"`
	Debts  []Debt `json:"debts"`
}

func (d *Dir) debtsPath() string { return filepath.Join(d.Path, "debts.json") }

// Debts are those that were not settled yet, in the order in which they are to
// be.
func (d *Dir) Debts() ([]Debt, error) {
	var f debtsFile
	err := readJSON(d.debtsPath(), &f)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return f.Debts, checkFormat(d.debtsPath(), f.Format, debtsFormat)
}

// Owe records debts. A newer one replaces that of the same node and verb, and
// goes to the end: a stop that was asked for after a start must come after it.
// The caller holds the lock.
func (d *Dir) Owe(more ...Debt) error {
	return d.changeDebts(func(all []Debt) []Debt {
		for _, n := range more {
			all = slices.DeleteFunc(all, func(o Debt) bool { return o.Node == n.Node && o.Verb == n.Verb })
			fields := map[string]string{}
			for name, value := range n.Fields {
				fields[name] = cleanValue(value)
			}
			n.Fields, n.Since = fields, n.Since.UTC()
			all = append(all, n)
		}
		return all
	})
}

// Settle removes the debts that settled chooses. The caller holds the lock.
func (d *Dir) Settle(settled func(Debt) bool) error {
	return d.changeDebts(func(all []Debt) []Debt { return slices.DeleteFunc(all, settled) })
}

func (d *Dir) changeDebts(change func([]Debt) []Debt) error {
	all, err := d.Debts()
	if err != nil {
		return err
	}
	had := len(all)
	all = change(all)
	if had == 0 && len(all) == 0 {
		return nil
	}
	if err := writeJSON(d.debtsPath(), debtsFile{Format: debtsFormat, Debts: all}); err != nil {
		return fmt.Errorf("cannot record the debts: %w", err)
	}
	return nil
}
