package deploy_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"testing"

	"icm/controller/deploy"
	"icm/controller/kitsource"
	"icm/internal/hint"
	"icm/internal/kind"
	"icm/tests/sim"
)

const ownKit = "IRIS-2023.1.0.235.1-lnxrh8x64.tar.gz"

// ownSite is a provisioned site whose kit is a file beside icm.
func ownSite(t *testing.T) *sim.Site {
	t.Helper()
	s := provisioned(t, cluster)
	if err := os.Mkdir(s.Dir+"/kits", 0o700); err != nil {
		t.Fatal(err)
	}
	s.Write("kits/"+ownKit, "the bytes of a kit")
	s.Write("defaults.json", sim.Defaults(kit("local:kits/"+ownKit)))
	return s
}

func TestAKitBesideIcmIsBroughtToEveryNodeOnce(t *testing.T) {
	s := ownSite(t)
	p := planOf(t, s, deploy.VerbInstall)
	if got := p.Stages[0].Changes[0].Tasks[0].Summary; got != "Bring "+ownKit {
		t.Errorf("the plan says %q", got)
	}
	operate(t, s, deploy.VerbInstall)
	for _, m := range s.Machines() {
		did := m.Did()
		came, taken := slices.Index(did, "arrived "+ownKit), slices.Index(did, kind.KitFetch)
		if came < 0 || taken < came || m.Version() != "2023.1.0.235.1" {
			t.Errorf("%s has version %s: %v", m.Name, m.Version(), did)
		}
	}
	holds(t, strings.Join(s.Said.Lines(), "\n"), "Sending kit to "+dm, "sent kit to "+am2, "Checking kit on "+am1)
	if res := operate(t, s, deploy.VerbInstall); !res.Nothing {
		t.Error("a second installation did something")
	}
}

func TestANodeThatHasTheKitIsSentNothing(t *testing.T) {
	s := ownSite(t)
	s.Machine(am1).Fail(kind.IRISInstall, "boom")
	fails(t.Context(), t, s, deploy.VerbInstall)
	s.Machine(am1).Fail(kind.IRISInstall, "")
	for _, m := range s.Machines() {
		m.Forget()
	}
	operate(t, s, deploy.VerbInstall)
	for _, m := range s.Machines() {
		if did := m.Did(); slices.Contains(did, "arrived "+ownKit) {
			t.Errorf("%s was sent its kit again: %v", m.Name, did)
		}
	}
}

func TestAKitThatCannotBeBroughtRefusesBeforeAnythingIsChanged(t *testing.T) {
	s := ownSite(t)
	for _, row := range []struct{ defaults, want string }{
		{kit("local:" + ownKit), "there is no kit " + s.Dir + "/" + ownKit + " on this machine"},
		{kit("local:kits/"+ownKit) + `"KitSHA256": "` + strings.Repeat("0", 64) + `",`, "and KitSHA256 says 0000"},
		{kit("bundle:" + ownKit), "no bundles"},
	} {
		s.Write("defaults.json", sim.Defaults(row.defaults))
		holds(t, fails(t.Context(), t, s, deploy.VerbInstall).Error(), row.want)
		for _, m := range s.Machines() {
			if slices.Contains(m.Did(), kind.KitFetch) {
				t.Errorf("%s was touched: %v", m.Name, m.Did())
			}
		}
	}
}

func TestAnInterruptedInstallationFindsItsKitAgain(t *testing.T) {
	s := ownSite(t)
	j := job(s, "install")
	ctx, cancel := context.WithCancel(t.Context())
	j.World.Connect = brokenPut(j.World.Connect, cancel)
	j.Fields = map[string]string{"KitURL": "local:kits/" + ownKit}
	s.Write("defaults.json", sim.Defaults(""))
	if _, err := j.Operate(ctx, deploy.VerbInstall); err == nil {
		t.Fatal("the installation was not interrupted")
	}
	// The next one is told where the kit is, and brings it to all.
	j = job(s, "install")
	j.Fields = map[string]string{"KitURL": "local:kits/" + ownKit}
	if _, err := j.Operate(t.Context(), deploy.VerbInstall); err != nil {
		t.Fatal(err)
	}
}

// brokenPut makes connections on which transfers are cut off.
func brokenPut(connect func(context.Context, deploy.Address) (deploy.Node, error), cut func()) func(context.Context, deploy.Address) (deploy.Node, error) {
	return func(ctx context.Context, a deploy.Address) (deploy.Node, error) {
		n, err := connect(ctx, a)
		if err != nil {
			return nil, err
		}
		return cutNode{n, cut}, nil
	}
}

// bundles are kits in a bundle file, for tests.
type bundles struct {
	names []string
	file  string
}

func (b bundles) Names(context.Context, string) ([]string, error) { return b.names, nil }

func (b bundles) Find(ctx context.Context, bundle, name string) (kitsource.Source, error) {
	if !slices.Contains(b.names, name) {
		return kitsource.Source{}, hint.New(fmt.Errorf("there is no kit %s in it", name), "icm bundle ls")
	}
	src, err := kitsource.File(ctx, b.file)
	src.Bundle = kitsource.Bundle{Name: "acme", Digest: "d1", Key: "k1", Issued: "2026-01-02T03:04:05Z"}
	return src, err
}

func TestABundleGivesTheKitOfTheFilesOrItsOnlyOne(t *testing.T) {
	s := ownSite(t)
	file := s.Dir + "/kits/" + ownKit
	for _, row := range []struct {
		name, defaults string
		names          []string
		want           string
	}{
		{"the only one", "", []string{ownKit}, ""},
		{"the one of KitURL", kit("http://x/" + ownKit), []string{"IRIS-2025.1.0.1.0-lnxrh8x64.tar.gz", ownKit}, ""},
		{"the one that KitURL says is in a bundle", kit("bundle:" + ownKit), []string{ownKit}, ""},
		{"two", "", []string{"IRIS-2025.1.0.1.0-lnxrh8x64.tar.gz", ownKit}, "there are several kits in acme.icmb"},
		{"none", "", nil, "there is no installation kit in acme.icmb"},
	} {
		t.Run(row.name, func(t *testing.T) {
			s.Write("defaults.json", sim.Defaults(row.defaults))
			j := job(s, "install")
			j.Bundle, j.Kits = s.Dir+"/acme.icmb", bundles{row.names, file}
			p, err := j.Plan(t.Context(), deploy.VerbInstall)
			if row.want != "" {
				if err == nil || hint.Of(err) == "" {
					t.Fatalf("Plan() = %v", err)
				}
				holds(t, err.Error(), row.want)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := p.Stages[0].Changes[0].Tasks[0].Summary; got != "Bring "+ownKit {
				t.Errorf("the plan says %q", got)
			}
		})
	}
}

// cutNode is a node whose transfers are cut off.
type cutNode struct {
	deploy.Node
	cut func()
}

func (n cutNode) Put(ctx context.Context, _ string, in io.Reader, _ int64, _ string) error {
	n.cut()
	_, err := io.CopyN(io.Discard, in, 3)
	return errors.Join(err, ctx.Err())
}
