package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"icm/internal/atomicfile"
	"icm/plugins/internal/terraform/simulated"
	"icm/plugins/lab/internal/lockfile"
)

// cloud is the directory of a mirror, where what there is to be is kept.
type cloud struct{ dir string }

// content is what there is to be.
type content struct {
	Deployment string               `json:"deployment"` // of the lab
	Instances  map[string]*instance `json:"instances"`  // by id
	Wanted     int                  `json:"wanted"`     // events so far
	Real       int                  `json:"real"`       // events that the lab has heard of
}

// instance is a node to be.
type instance struct {
	Name    string            `json:"name"`
	Data    userData          `json:"data"`
	Volumes map[string]volume `json:"volumes"` // by device: "xvdc"
	Seeded  bool              `json:"seeded"`  // its user data has been done
	Address string            `json:"address"`
}

type volume struct {
	ID string `json:"id"`
	GB int    `json:"gb"`
}

// event is one thing that the simulated provider tells of.
type event struct {
	verb, kind, id string
	object         map[string]any
}

func (e event) text(name string) string {
	s, _ := e.object[name].(string)
	return s
}

// event notes what is told, has the lab do it, and says where an instance is.
// Events that are told while the lab is at work are done together.
func (c cloud) event(ctx context.Context, e event, in io.Reader, out io.Writer) error {
	if err := json.NewDecoder(in).Decode(&e.object); err != nil {
		return fmt.Errorf("cannot read the object: %w", err)
	}
	number := 0
	err := c.update(ctx, func(s *content) error {
		s.Wanted++
		number = s.Wanted
		return c.note(s, e)
	})
	if err != nil {
		return err
	}
	s, err := c.realise(ctx, number)
	if err != nil || e.kind != "aws_instance" || e.verb == "delete" {
		return err
	}
	address := s.Instances[e.id].Address
	return json.NewEncoder(out).Encode(map[string]string{"public_ip": address, "private_ip": address, "public_dns": ""})
}

// note changes what there is to be.
func (c cloud) note(s *content, e event) error {
	switch e.verb + " " + e.kind {
	case "create aws_instance":
		tags, _ := e.object["tags"].(map[string]any)
		data, err := readUserData(e.text("user_data"))
		if err != nil {
			return err
		}
		s.Instances[e.id] = &instance{Name: fmt.Sprint(tags["Name"]), Data: data, Volumes: map[string]volume{}}
	case "delete aws_instance":
		delete(s.Instances, e.id)
	case "create aws_volume_attachment":
		at := s.Instances[e.text("instance_id")]
		if at == nil {
			return fmt.Errorf("there is no instance %s", e.text("instance_id"))
		}
		gb, err := c.size(e.text("volume_id"))
		at.Volumes[strings.TrimPrefix(e.text("device_name"), "/dev/")] = volume{e.text("volume_id"), gb}
		return err
	case "update aws_ebs_volume":
		gb, err := toGB(e.object["size"])
		for _, at := range s.Instances {
			for device, v := range at.Volumes {
				if v.ID == e.id {
					at.Volumes[device] = volume{e.id, gb}
				}
			}
		}
		return err
	}
	return nil // the lab's nodes keep a volume until they go
}

// size asks the store for the size of a volume.
func (c cloud) size(id string) (int, error) {
	all, err := simulated.Store{Path: filepath.Join(c.dir, "aws.cloud")}.Find("aws_ebs_volume")
	if err != nil {
		return 0, err
	}
	return toGB(all[id]["size"])
}

func toGB(v any) (int, error) {
	gb := 0
	_, err := fmt.Sscan(fmt.Sprint(v), &gb)
	return gb, err
}

// update changes the content while nobody else does.
func (c cloud) update(ctx context.Context, change func(*content) error) error {
	unlock, err := lockfile.Take(ctx, filepath.Join(c.dir, "lab.lock"))
	if err != nil {
		return err
	}
	defer unlock()
	s, err := c.load()
	if err != nil {
		return err
	}
	if err := change(s); err != nil {
		return err
	}
	data, err := json.MarshalIndent(s, "", " ")
	if err != nil {
		return err
	}
	return atomicfile.Write(filepath.Join(c.dir, "lab.json"), data, 0o600)
}

func (c cloud) load() (*content, error) {
	s := &content{Deployment: fmt.Sprintf("cloud-%d", os.Getpid()), Instances: map[string]*instance{}}
	data, err := os.ReadFile(filepath.Join(c.dir, "lab.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	if err != nil {
		return nil, err
	}
	return s, json.Unmarshal(data, s)
}
