package provider_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"

	"icm/plugins/provider"
	"icm/plugins/provider/providertest"
)

// asProvider makes the test binary a provider's program.
const asProvider = "ICM_TEST_AS_PROVIDER"

func TestMain(m *testing.M) {
	if os.Getenv(asProvider) == "" {
		os.Exit(m.Run())
	}
	provider.Serve(&providertest.Fake{OnProvision: misbehave})
}

// misbehave does what the name of the machine says.
func misbehave(ctx context.Context, machine string) error {
	switch machine {
	case "CRASH":
		os.Stderr.WriteString("fake: about to crash\n")
		os.Exit(7)
	case "WAIT":
		<-ctx.Done()
	case "WAIT-AND-TELL":
		<-ctx.Done()
		return os.WriteFile(os.Getenv(asProvider), []byte("stopped cleanly"), 0o600)
	}
	return nil
}

func TestAProviderInAnotherProcessConforms(t *testing.T) {
	p, _ := launch(t, "yes")
	providertest.Run(t, providertest.Config{
		New: func() provider.Provider { return p },
		Request: func(t *testing.T) provider.Request {
			return requestFor(t, "ACME-DM-TEST-0001", "ACME-AM-TEST-0002")
		},
	})
}

func TestAProviderThatDiesInACallIsLost(t *testing.T) {
	p, _ := launch(t, "yes")
	_, err := p.Provision(t.Context(), requestFor(t, "CRASH"), nil)
	if !errors.Is(err, provider.ErrLost) {
		t.Errorf("error is %v", err)
	}
}

func TestSIGTERMCancelsTheCallsOfAProvider(t *testing.T) {
	p, pid := launch(t, "yes")
	_, err := p.Provision(t.Context(), requestFor(t, "WAIT"), func(provider.Progress) {
		if err := syscall.Kill(pid, syscall.SIGTERM); err != nil {
			t.Error(err)
		}
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error is %v", err)
	}
}

// A controller that is killed must not leave a provider running, nor stop it
// in the middle of something.
func TestAProviderStopsCleanlyWhenItsCallerIsGone(t *testing.T) {
	note := filepath.Join(t.TempDir(), "note")
	client, out := start(t, note)
	p := dispense(t, client)
	begun := make(chan struct{})
	go func() {
		_, _ = p.Provision(context.WithoutCancel(t.Context()), requestFor(t, "WAIT-AND-TELL"), func(provider.Progress) { close(begun) })
	}()
	wait(t, begun, "the call to begin")
	proto, err := client.Client()
	if err != nil {
		t.Fatal(err)
	}
	// As the kernel does for a killed process: the connection goes, nothing is said.
	if err := proto.(*plugin.GRPCClient).Conn.Close(); err != nil {
		t.Fatal(err)
	}
	wait(t, out.closed, "the provider to end")
	data, err := os.ReadFile(note)
	if err != nil || string(data) != "stopped cleanly" {
		t.Errorf("the provider left %q, %v", data, err)
	}
}

func TestAProviderRunByHandSaysWhatItIs(t *testing.T) {
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = []string{asProvider + "=yes"}
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 1 {
		t.Fatalf("ended with %v", err)
	}
	for _, want := range []string{"this is the provider Fake 1.0 of icm", `hint: icm starts it when defaults.json names it as the "Provider"`} {
		if !strings.Contains(string(out), want) {
			t.Errorf("%q is missing in:\n%s", want, out)
		}
	}
}

// launch starts the provider's program and returns the provider and its pid.
func launch(t *testing.T, as string) (provider.Provider, int) {
	t.Helper()
	client, _ := start(t, as)
	p := dispense(t, client)
	return p, client.ReattachConfig().Pid
}

func start(t *testing.T, as string) (*plugin.Client, *notice) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = []string{asProvider + "=" + as}
	out := &notice{closed: make(chan struct{})}
	client := plugin.NewClient(&plugin.ClientConfig{
		HandshakeConfig:  provider.Handshake(),
		Plugins:          plugin.PluginSet{provider.PluginName: &provider.Plugin{}},
		AllowedProtocols: []plugin.Protocol{plugin.ProtocolGRPC},
		Cmd:              cmd,
		AutoMTLS:         true,
		SkipHostEnv:      true,
		Logger:           hclog.New(&hclog.LoggerOptions{Output: out, Level: hclog.Info}),
	})
	t.Cleanup(client.Kill)
	return client, out
}

func dispense(t *testing.T, client *plugin.Client) provider.Provider {
	t.Helper()
	proto, err := client.Client()
	if err != nil {
		t.Fatal(err)
	}
	p, err := proto.Dispense(provider.PluginName)
	if err != nil {
		t.Fatal(err)
	}
	return p.(provider.Provider)
}

// notice watches go-plugin's log for the end of the process.
type notice struct{ closed chan struct{} }

func (n *notice) Write(b []byte) (int, error) {
	if strings.Contains(string(b), "plugin process exited") {
		close(n.closed)
	}
	return len(b), nil
}

func requestFor(t *testing.T, machines ...string) provider.Request {
	t.Helper()
	def := provider.Definition{Name: "ACME-DM-TEST", Role: "DM"}
	for _, m := range machines {
		def.Nodes = append(def.Nodes, provider.Want{MachineName: m})
	}
	return provider.Request{Deployment: "ICM-1", Label: "ACME", Tag: "TEST", StateDir: t.TempDir(), Definitions: []provider.Definition{def}}
}
