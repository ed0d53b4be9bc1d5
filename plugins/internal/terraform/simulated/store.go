package simulated

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// Store is the cloud: one file, shared by many processes.
type Store struct{ Path string }

// content is what the file holds.
type content struct {
	Serial  int               `json:"serial"`
	Objects map[string]object `json:"objects"` // by "type/id"
	Faults  []Fault           `json:"faults,omitempty"`
	Missing []string          `json:"missing,omitempty"` // names that data sources do not find
	DelayMS int               `json:"delay_ms,omitempty"`
	Hook    string            `json:"hook,omitempty"`
}

// Fault is an error that the cloud answers with.
type Fault struct {
	Op    string `json:"op"`   // "create", "update", "delete", "read"
	Type  string `json:"type"` // of the resource
	Error string `json:"error"`
	Skip  int    `json:"skip,omitempty"` // calls that go well before
	Count int    `json:"count"`          // calls that fail
}

// update changes the store while nobody else does.
func (s Store) update(f func(*content) error) error {
	lock, err := os.OpenFile(s.Path+".lock", os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	defer lock.Close()
	for {
		if err = unix.Flock(int(lock.Fd()), unix.LOCK_EX); !errors.Is(err, unix.EINTR) {
			break
		}
	}
	if err != nil {
		return fmt.Errorf("cannot lock the store: %w", err)
	}
	c := &content{}
	data, err := os.ReadFile(s.Path)
	if err == nil {
		d := json.NewDecoder(strings.NewReader(string(data)))
		d.UseNumber()
		err = d.Decode(c)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("cannot read the store: %w", err)
	}
	if c.Objects == nil {
		c.Objects = map[string]object{}
	}
	answer := f(c) // an error is an answer too: a fault was used up
	now, err := json.MarshalIndent(c, "", " ")
	if err != nil {
		return err
	}
	if string(now) == string(data) {
		return answer
	}
	// Renamed, so that a killed process leaves no half; synced it need not be.
	part := s.Path + ".part"
	if err := os.WriteFile(part, now, 0o600); err != nil {
		return err
	}
	if err := os.Rename(part, s.Path); err != nil {
		return err
	}
	return answer
}

// Objects lists what there is, as "type/id", sorted.
func (s Store) Objects() ([]string, error) {
	var out []string
	err := s.update(func(c *content) error {
		for key := range c.Objects {
			out = append(out, key)
		}
		return nil
	})
	slices.Sort(out)
	return out, err
}

// Find lists the attributes of all objects of a type, by id.
func (s Store) Find(kind string) (map[string]map[string]any, error) {
	out := map[string]map[string]any{}
	err := s.update(func(c *content) error {
		for key, o := range c.Objects {
			if id, ok := strings.CutPrefix(key, kind+"/"); ok {
				out[id] = o
			}
		}
		return nil
	})
	return out, err
}

// Put makes an object that terraform does not know of.
func (s Store) Put(kind, id string, attributes map[string]any) error {
	return s.update(func(c *content) error {
		o := object{"id": id}
		for k, v := range attributes {
			o[k] = v
		}
		c.Objects[kind+"/"+id] = o
		return nil
	})
}

// Delete removes an object behind terraform's back.
func (s Store) Delete(kind, id string) error {
	return s.update(func(c *content) error {
		if _, ok := c.Objects[kind+"/"+id]; !ok {
			return fmt.Errorf("there is no %s %s", kind, id)
		}
		delete(c.Objects, kind+"/"+id)
		return nil
	})
}

// Set changes an attribute behind terraform's back.
func (s Store) Set(kind, id, attribute string, value any) error {
	return s.update(func(c *content) error {
		o, ok := c.Objects[kind+"/"+id]
		if !ok {
			return fmt.Errorf("there is no %s %s", kind, id)
		}
		o[attribute] = value
		return nil
	})
}

// Inject lets calls fail from now on.
func (s Store) Inject(faults ...Fault) error {
	return s.update(func(c *content) error {
		c.Faults = append(c.Faults, faults...)
		return nil
	})
}

// Delay lets every change take that many milliseconds, half of them before
// the cloud has done it.
func (s Store) Delay(milliseconds int) error {
	return s.update(func(c *content) error {
		c.DelayMS = milliseconds
		return nil
	})
}

// Lose makes data sources not find things of these names.
func (s Store) Lose(names ...string) error {
	return s.update(func(c *content) error {
		c.Missing = append(c.Missing, names...)
		return nil
	})
}

// UseHook has a program run when instances and attachments come and go.
func (s Store) UseHook(path string) error {
	return s.update(func(c *content) error {
		c.Hook = path
		return nil
	})
}

// fault is the error that a call is to end with, if any.
func (c *content) fault(op, kind string) string {
	for i := range c.Faults {
		f := &c.Faults[i]
		if f.Op != op || f.Type != kind {
			continue
		}
		switch {
		case f.Skip > 0:
			f.Skip--
		case f.Count > 0:
			f.Count--
			return f.Error
		}
	}
	return ""
}
