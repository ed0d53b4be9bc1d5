package simulated

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6/tf6server"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
)

// server is one provider. Calls that our templates never cause are those of
// the embedded nil interface, and panic.
type server struct {
	tfprotov6.ProviderServer
	*schemas
	cloud  cloud
	store  Store
	config object // of the provider block
}

// Serve is the main function of the provider's program. Which provider it is,
// and where its store is, it finds in the path it was started from.
func Serve() error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	self, err = filepath.EvalSymlinks(self)
	if err != nil {
		return err
	}
	name, _, ok := strings.Cut(strings.TrimPrefix(filepath.Base(self), "terraform-provider-"), "_v")
	if !ok {
		return fmt.Errorf("%s is not the name of a provider's program", filepath.Base(self))
	}
	s, err := newServer(name, Store{filepath.Join(mirrorOf(self), name+".cloud")})
	if err != nil {
		return err
	}
	return tf6server.Serve(address(name), func() tfprotov6.ProviderServer { return s })
}

func newServer(name string, store Store) (*server, error) {
	s, err := loadSchemas(name)
	if err != nil {
		return nil, err
	}
	return &server{schemas: s, cloud: clouds[name], store: store}, nil
}

func (s *server) GetMetadata(context.Context, *tfprotov6.GetMetadataRequest) (*tfprotov6.GetMetadataResponse, error) {
	out := &tfprotov6.GetMetadataResponse{ServerCapabilities: &tfprotov6.ServerCapabilities{}}
	for name := range s.resources {
		out.Resources = append(out.Resources, tfprotov6.ResourceMetadata{TypeName: name})
	}
	for name := range s.data {
		out.DataSources = append(out.DataSources, tfprotov6.DataSourceMetadata{TypeName: name})
	}
	return out, nil
}

// GetProviderSchema does what Terraform's SDK does in the real providers: what
// the environment gives is no longer required.
func (s *server) GetProviderSchema(context.Context, *tfprotov6.GetProviderSchemaRequest) (*tfprotov6.GetProviderSchemaResponse, error) {
	for _, a := range s.provider.Block.Attributes {
		if variable := s.cloud.defaults[a.Name]; a.Required && variable != "" && os.Getenv(variable) != "" {
			a.Required, a.Optional = false, true
		}
	}
	return &tfprotov6.GetProviderSchemaResponse{
		Provider: s.provider, ResourceSchemas: s.resources, DataSourceSchemas: s.schemas.data,
		ServerCapabilities: &tfprotov6.ServerCapabilities{},
	}, nil
}

func (s *server) GetResourceIdentitySchemas(context.Context, *tfprotov6.GetResourceIdentitySchemasRequest) (*tfprotov6.GetResourceIdentitySchemasResponse, error) {
	return &tfprotov6.GetResourceIdentitySchemasResponse{}, nil
}

func (s *server) ValidateProviderConfig(_ context.Context, r *tfprotov6.ValidateProviderConfigRequest) (*tfprotov6.ValidateProviderConfigResponse, error) {
	return &tfprotov6.ValidateProviderConfigResponse{PreparedConfig: r.Config}, nil
}

func (s *server) ConfigureProvider(_ context.Context, r *tfprotov6.ConfigureProviderRequest) (*tfprotov6.ConfigureProviderResponse, error) {
	v, err := decode(r.Config, s.provider.ValueType())
	if err != nil {
		return nil, err
	}
	s.config = plainObject(v)
	return &tfprotov6.ConfigureProviderResponse{Diagnostics: s.credentials()}, nil
}

// credentials checks that the provider could have logged in: from the
// environment, which is where ours come from, or from its own block.
func (s *server) credentials() []*tfprotov6.Diagnostic {
	for _, way := range s.cloud.credentials {
		complete := true
		for _, name := range way {
			complete = complete && (os.Getenv(name) != "" || s.config.text(name) != "")
		}
		if complete {
			return nil
		}
	}
	if len(s.cloud.credentials) == 0 {
		return nil
	}
	return problem("No valid credential sources found", "none of these is complete: "+fmt.Sprint(s.cloud.credentials))
}

func (s *server) StopProvider(context.Context, *tfprotov6.StopProviderRequest) (*tfprotov6.StopProviderResponse, error) {
	return &tfprotov6.StopProviderResponse{}, nil
}

// ValidateResourceConfig finds what the real provider wants and its schema does
// not say.
func (s *server) ValidateResourceConfig(_ context.Context, r *tfprotov6.ValidateResourceConfigRequest) (*tfprotov6.ValidateResourceConfigResponse, error) {
	v, err := decode(r.Config, s.resources[r.TypeName].ValueType())
	if err != nil {
		return nil, err
	}
	var out tfprotov6.ValidateResourceConfigResponse
	config := plainObject(v)
	rule := s.cloud.rules[r.TypeName]
	for _, choice := range rule.required {
		if !anySet(config, strings.Split(choice, "|")) {
			out.Diagnostics = append(out.Diagnostics, problem("Missing required argument", r.TypeName+" needs "+choice)...)
		}
	}
	if rule.check != nil {
		if text := rule.check(config); text != "" {
			out.Diagnostics = append(out.Diagnostics, problem("Invalid argument", r.TypeName+": "+text)...)
		}
	}
	return &out, nil
}

// anySet reports whether one of the paths has a value everywhere it leads.
func anySet(o object, paths []string) bool {
	for _, path := range paths {
		found := at(o, path)
		set := len(found) > 0
		for _, v := range found {
			if list, ok := v.([]any); v == nil || v == "" || ok && len(list) == 0 {
				set = false
			}
		}
		if set {
			return true
		}
	}
	return false
}

func (s *server) ValidateDataResourceConfig(context.Context, *tfprotov6.ValidateDataResourceConfigRequest) (*tfprotov6.ValidateDataResourceConfigResponse, error) {
	return &tfprotov6.ValidateDataResourceConfigResponse{}, nil
}

func (s *server) UpgradeResourceState(_ context.Context, r *tfprotov6.UpgradeResourceStateRequest) (*tfprotov6.UpgradeResourceStateResponse, error) {
	t := s.resources[r.TypeName].ValueType()
	v, err := r.RawState.UnmarshalWithOpts(t, tfprotov6.UnmarshalOpts{ValueFromJSONOpts: tftypes.ValueFromJSONOpts{IgnoreUndefinedAttributes: true}})
	if err != nil {
		return nil, err
	}
	d, err := encode(t, v)
	return &tfprotov6.UpgradeResourceStateResponse{UpgradedState: d}, err
}

func problem(summary, detail string) []*tfprotov6.Diagnostic {
	return []*tfprotov6.Diagnostic{{Severity: tfprotov6.DiagnosticSeverityError, Summary: summary, Detail: detail}}
}
