package pluginhost

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/go-plugin"

	"icm/internal/hint"
	"icm/plugins/provider"
	"icm/plugins/provider/providertest"
)

// The test binary, under the name of a provider, is that provider.
func TestMain(m *testing.M) {
	switch filepath.Base(os.Args[0]) {
	case "icm-provider-fake":
		provider.Serve(&providertest.Fake{OnProvision: misbehave})
	case "icm-provider-future":
		handshake := provider.Handshake()
		handshake.ProtocolVersion += 1000
		plugin.Serve(&plugin.ServeConfig{
			HandshakeConfig: handshake,
			Plugins:         plugin.PluginSet{provider.PluginName: &provider.Plugin{Impl: &providertest.Fake{}}},
			GRPCServer:      plugin.DefaultGRPCServer,
		})
	case "icm-provider-broken":
		fmt.Fprintln(os.Stderr, "broken: the disk of this machine is made of cheese")
		os.Exit(3)
	default:
		os.Exit(m.Run())
	}
}

func misbehave(ctx context.Context, machine string) error {
	switch machine {
	case "PANIC":
		panic("the fake provider fell over")
	case "SLOW":
		<-ctx.Done()
		return os.WriteFile(filepath.Join(os.Getenv("HOME"), "stopped"), nil, 0o600)
	case "HINT":
		return &provider.Error{Message: "the cloud does not know you", Hint: "log in", Kind: provider.KindCredentials}
	case "ENV":
		return errors.New(strings.Join(os.Environ(), "\n"))
	}
	return nil
}

func TestAProviderIsFoundCheckedAndCalled(t *testing.T) {
	for _, name := range []string{"fake", "Fake", "FAKE"} {
		p := open(t, install(t, "fake"), name)
		info, err := p.Info(t.Context())
		if err != nil || info.Name != "Fake" {
			t.Errorf("Info of %s: %+v, %v", name, info, err)
		}
	}
}

func TestProvidersThatAreRefused(t *testing.T) {
	for name, test := range map[string]struct {
		provider string
		spoil    func(t *testing.T, dir string)
		want     string
		hint     string
	}{
		"one that does not exist":      {provider: "AWSS", want: `unknown provider "AWSS"`, hint: "the providers are: broken, fake, future"},
		"one with a path for a name":   {provider: "x/../fake", want: `unknown provider "x/../fake"`, hint: "the providers are"},
		"a program that was changed":   {provider: "fake", spoil: change, want: "its sha256 is", hint: "somebody changed the program"},
		"a program that is not listed": {provider: "fake", spoil: list(""), want: "it is not in providers.sha256", hint: "make build"},
		"a directory without a list":   {provider: "fake", spoil: unlist, want: "there is no providers.sha256", hint: "make build"},
		"one of another version":       {provider: "future", want: "it speaks another version of the provider protocol", hint: "install both from one"},
		"one that cannot start":        {provider: "broken", want: "made of cheese"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := install(t, "fake", "future", "broken")
			if test.spoil != nil {
				test.spoil(t, dir)
			}
			_, _, err := host(dir).Provider(t.Context(), test.provider)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Fatalf("error is %v", err)
			}
			if got := hint.Of(err); !strings.Contains(got, test.hint) {
				t.Errorf("hint is %q", got)
			}
		})
	}
}

func TestADevelopmentBuildNeedsNoListButHeedsOne(t *testing.T) {
	dir := install(t, "fake")
	h := New(Config{Dirs: []string{dir}, Unlisted: true})
	unlist(t, dir)
	_, stop, err := h.Provider(t.Context(), "fake")
	if err != nil {
		t.Fatal(err)
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	list("00  icm-provider-fake\n")(t, dir)
	if _, _, err := h.Provider(t.Context(), "fake"); err == nil {
		t.Error("a wrong checksum is accepted")
	}
}

func TestACrashIsExplained(t *testing.T) {
	p := open(t, install(t, "fake"), "fake")
	_, err := p.Provision(t.Context(), request(t, "PANIC"), nil)
	if !errors.Is(err, provider.ErrLost) {
		t.Fatalf("error is %v", err)
	}
	for _, want := range []string{"provider fake", "exit status 2", "panic: the fake provider fell over"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is missing in: %v", want, err)
		}
	}
	if strings.Contains(err.Error(), "goroutine") {
		t.Errorf("the error shows a stack: %v", err)
	}
}

func TestStoppingWaitsForACancelledCall(t *testing.T) {
	home := t.TempDir()
	h := New(Config{Dirs: []string{install(t, "fake")}, Env: []string{"HOME=" + home}})
	p, stop, err := h.Provider(t.Context(), "fake")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	begun := make(chan struct{})
	ended := make(chan error, 1)
	go func() {
		_, err := p.Provision(ctx, request(t, "SLOW"), func(provider.Progress) { close(begun) })
		ended <- err
	}()
	select {
	case <-begun:
	case <-time.After(30 * time.Second):
		t.Fatal("the call does not begin")
	}
	cancel()
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("the call ended with %v", err)
	}
	if _, err := os.Stat(filepath.Join(home, "stopped")); err != nil {
		t.Errorf("the provider was killed before it could stop: %v", err)
	}
}

func TestAProvidersHintIsTheErrorsHint(t *testing.T) {
	p := open(t, install(t, "fake"), "fake")
	_, err := p.Provision(t.Context(), request(t, "HINT"), nil)
	if hint.Of(err) != "log in" {
		t.Errorf("hint of %v is %q", err, hint.Of(err))
	}
}

func TestAProviderGetsOnlyPartOfTheEnvironment(t *testing.T) {
	h := New(Config{Dirs: []string{install(t, "fake")}, Env: []string{
		"PATH=/bin", "AWS_SECRET_ACCESS_KEY=key", "https_proxy=http://proxy:3128", "ICM_SSH_PASSWORD=canary", "LD_PRELOAD=/evil.so",
	}})
	p, stop, err := h.Provider(t.Context(), "fake")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = stop() }()
	_, err = p.Provision(t.Context(), request(t, "ENV"), nil)
	for _, want := range []string{"PATH=/bin", "AWS_SECRET_ACCESS_KEY=key", "https_proxy="} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%s is missing", want)
		}
	}
	for _, not := range []string{"canary", "LD_PRELOAD"} {
		if strings.Contains(err.Error(), not) {
			t.Errorf("%s is passed on", not)
		}
	}
}

func TestWhereProvidersAreLookedFor(t *testing.T) {
	want := []string{"/opt/icm/bin", "/opt/icm/libexec/icm"}
	if diff := cmp.Diff(want, DefaultDirs("/opt/icm/bin/icm", "")); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"/there"}, DefaultDirs("/opt/icm/bin/icm", "/there")); diff != "" {
		t.Error(diff)
	}
}

func host(dir string) *Host { return New(Config{Dirs: []string{dir}, Env: os.Environ()}) }

func open(t *testing.T, dir, name string) provider.Provider {
	t.Helper()
	p, stop, err := host(dir).Provider(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
	return p
}

// install puts this test binary into a directory under the names of providers,
// with a list of checksums.
func install(t *testing.T, names ...string) string {
	t.Helper()
	dir := t.TempDir()
	var sums strings.Builder
	for _, name := range names {
		path := filepath.Join(dir, prefix+name)
		if err := copyFile(os.Args[0], path); err != nil {
			t.Fatal(err)
		}
		s, err := sum(path)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&sums, "%s  %s%s\n", s, prefix, name)
	}
	list(sums.String())(t, dir)
	return dir
}

func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer func() { _ = in.Close() }()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE, 0o755)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}

func list(text string) func(*testing.T, string) {
	return func(t *testing.T, dir string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, sumList), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func unlist(t *testing.T, dir string) {
	t.Helper()
	if err := os.Remove(filepath.Join(dir, sumList)); err != nil {
		t.Fatal(err)
	}
}

func change(t *testing.T, dir string) {
	t.Helper()
	f, err := os.OpenFile(filepath.Join(dir, prefix+"fake"), os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.WriteString("x")
	if err := errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
}

func request(t *testing.T, machine string) provider.Request {
	t.Helper()
	return provider.Request{StateDir: t.TempDir(), Definitions: []provider.Definition{
		{Name: "ACME-DM-TEST", Nodes: []provider.Want{{MachineName: machine}}},
	}}
}
