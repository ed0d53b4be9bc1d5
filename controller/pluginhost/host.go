package pluginhost

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os/exec"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"
	"github.com/hashicorp/go-plugin/runner"

	"icm/internal/hint"
	"icm/plugins/provider"
)

// startTime bounds the start of a provider, which does nothing but open a
// socket; a machine that is very busy is no reason to fail.
const startTime = 30 * time.Second

// Config is what a Host needs to know of the world.
type Config struct {
	Dirs []string     // see DefaultDirs
	Env  []string     // our own environment, of which providers get a part
	Log  *slog.Logger // nil is none
	// Unlisted allows providers in a directory without a list of checksums.
	// Only development builds set it.
	Unlisted bool
}

// Host starts providers.
type Host struct {
	dirs     []string
	env      []string
	log      *slog.Logger
	unlisted bool
}

// New makes a Host.
func New(c Config) *Host {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return &Host{dirs: c.Dirs, env: environment(c.Env), log: c.Log, unlisted: c.Unlisted}
}

// Provider starts the provider called name ("PreExisting", in any case). The
// returned function stops it, after all calls have returned, and must be
// called.
func (h *Host) Provider(ctx context.Context, name string) (provider.Provider, func() error, error) {
	path, err := h.find(name)
	if err != nil {
		return nil, nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, nil, err
	}
	r := newProcess(path, h.env)
	client := plugin.NewClient(h.clientConfig(r))
	p, err := connect(client)
	if err != nil {
		client.Kill()
		return nil, nil, startError(name, r, err)
	}
	c := &connection{name: name, provider: p, process: r}
	return c, func() error {
		c.open.Wait()
		client.Kill()
		return nil
	}, nil
}

func (h *Host) clientConfig(r *process) *plugin.ClientConfig {
	return &plugin.ClientConfig{
		HandshakeConfig:  provider.Handshake(),
		Plugins:          plugin.PluginSet{provider.PluginName: &provider.Plugin{}},
		AllowedProtocols: []plugin.Protocol{plugin.ProtocolGRPC},
		RunnerFunc: func(_ hclog.Logger, made *exec.Cmd, _ string) (runner.Runner, error) {
			return r, r.prepare(made.Env)
		},
		AutoMTLS:     true,
		SkipHostEnv:  true,
		StartTimeout: startTime,
		Stderr:       r.last,
		SyncStderr:   r.last,
		Logger:       newLog(h.log),
	}
}

func connect(client *plugin.Client) (provider.Provider, error) {
	proto, err := client.Client()
	if err != nil {
		return nil, err
	}
	raw, err := proto.Dispense(provider.PluginName)
	if err != nil {
		return nil, err
	}
	return raw.(provider.Provider), nil
}

// startError says in words what go-plugin says in numbers.
func startError(name string, r *process, err error) error {
	switch text := err.Error(); {
	case strings.Contains(text, "incompatible API version"): // go-plugin has no error value for it
		return hint.New(
			fmt.Errorf("cannot use the provider %s: it speaks another version of the provider protocol than this icm, which speaks %d", name, provider.ProtocolVersion),
			r.path+" belongs to another build of icm: install both from one")
	case strings.Contains(text, "timeout while waiting"):
		return r.explain(fmt.Errorf("cannot start the provider %s: it did not answer in %v", name, startTime))
	case strings.HasPrefix(text, "Unrecognized remote plugin message"), strings.Contains(text, "exited before we could connect"):
		return r.explain(fmt.Errorf("cannot start the provider %s: %s is no provider, or ended before it began", name, r.path))
	default:
		return r.explain(fmt.Errorf("cannot start the provider %s: %w", name, err))
	}
}

// forCaller puts the hint of a provider's error where every other error has
// it, and says why a provider died.
func (c *connection) forCaller(err error) error {
	if errors.Is(err, provider.ErrLost) {
		return c.process.explain(fmt.Errorf("provider %s: %w", c.name, err))
	}
	var e *provider.Error
	if errors.As(err, &e) && e.Hint != "" {
		return hint.New(err, e.Hint)
	}
	return err
}
