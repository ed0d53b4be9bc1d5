package simulated

import (
	"bytes"
	"compress/gzip"
	"embed"
	"encoding/json"
	"fmt"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
)

//go:embed schemas/*.json.gz
var schemaFiles embed.FS

// schemas are those of one provider.
type schemas struct {
	version   string // of the real provider
	provider  *tfprotov6.Schema
	resources map[string]*tfprotov6.Schema
	data      map[string]*tfprotov6.Schema
}

// The form of `terraform providers schema -json`.
type (
	schemaJSON struct {
		Version int64     `json:"version"`
		Block   blockJSON `json:"block"`
	}
	blockJSON struct {
		Attributes map[string]attributeJSON `json:"attributes"`
		Blocks     map[string]nestedJSON    `json:"block_types"`
	}
	attributeJSON struct {
		Type      json.RawMessage `json:"type"`
		Required  bool            `json:"required"`
		Optional  bool            `json:"optional"`
		Computed  bool            `json:"computed"`
		Sensitive bool            `json:"sensitive"`
		WriteOnly bool            `json:"write_only"`
	}
	nestedJSON struct {
		Nesting  string    `json:"nesting_mode"`
		MinItems int64     `json:"min_items"`
		MaxItems int64     `json:"max_items"`
		Block    blockJSON `json:"block"`
	}
)

// loadSchemas reads the schemas of a provider by its name in the registry.
func loadSchemas(name string) (*schemas, error) {
	packed, err := schemaFiles.ReadFile("schemas/" + name + ".json.gz")
	if err != nil {
		return nil, fmt.Errorf("there is no simulated provider %q", name)
	}
	r, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, err
	}
	var file struct {
		Version   string                `json:"provider_version"`
		Provider  schemaJSON            `json:"provider"`
		Resources map[string]schemaJSON `json:"resources"`
		Data      map[string]schemaJSON `json:"data_sources"`
	}
	if err := json.NewDecoder(r).Decode(&file); err != nil {
		return nil, fmt.Errorf("cannot read the schemas of %s: %w", name, err)
	}
	out := &schemas{version: file.Version, resources: map[string]*tfprotov6.Schema{}, data: map[string]*tfprotov6.Schema{}}
	if out.provider, err = file.Provider.schema(); err != nil {
		return nil, err
	}
	for list, into := range map[*map[string]schemaJSON]map[string]*tfprotov6.Schema{&file.Resources: out.resources, &file.Data: out.data} {
		for kind, s := range *list {
			if into[kind], err = s.schema(); err != nil {
				return nil, fmt.Errorf("%s: %w", kind, err)
			}
		}
	}
	return out, nil
}

func (s schemaJSON) schema() (*tfprotov6.Schema, error) {
	block, err := s.Block.block()
	return &tfprotov6.Schema{Version: s.Version, Block: block}, err
}

var nestings = map[string]tfprotov6.SchemaNestedBlockNestingMode{
	"single": tfprotov6.SchemaNestedBlockNestingModeSingle,
	"group":  tfprotov6.SchemaNestedBlockNestingModeGroup,
	"list":   tfprotov6.SchemaNestedBlockNestingModeList,
	"set":    tfprotov6.SchemaNestedBlockNestingModeSet,
	"map":    tfprotov6.SchemaNestedBlockNestingModeMap,
}

func (b blockJSON) block() (*tfprotov6.SchemaBlock, error) {
	out := &tfprotov6.SchemaBlock{}
	for name, a := range b.Attributes {
		//lint:ignore SA1019 it reads just what the dump has
		kind, err := tftypes.ParseJSONType(a.Type)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		out.Attributes = append(out.Attributes, &tfprotov6.SchemaAttribute{
			Name: name, Type: kind, Required: a.Required, Optional: a.Optional,
			Computed: a.Computed, Sensitive: a.Sensitive, WriteOnly: a.WriteOnly,
		})
	}
	for name, n := range b.Blocks {
		inner, err := n.Block.block()
		if err != nil {
			return nil, fmt.Errorf("%s.%w", name, err)
		}
		out.BlockTypes = append(out.BlockTypes, &tfprotov6.SchemaNestedBlock{
			TypeName: name, Nesting: nestings[n.Nesting], MinItems: n.MinItems, MaxItems: n.MaxItems, Block: inner,
		})
	}
	return out, nil
}
