package deploy_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"icm/controller/deploy"
	"icm/controller/kitsource"
	"icm/controller/receipt"
	"icm/internal/hint"
	"icm/internal/kind"
	"icm/tests/sim"
)

func receiptOf(t *testing.T, s *sim.Site, id string) *receipt.Receipt {
	t.Helper()
	r, err := job(s, "receipt").Receipt(id)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestAReceiptSaysWhatWasInstalledWhereAndFromWhichBundle(t *testing.T) {
	s := ownSite(t)
	file := s.Dir + "/kits/" + ownKit
	j := job(s, "install")
	j.Bundle, j.Kits = filepath.Join(s.Dir, "acme.icmb"), bundles{[]string{ownKit}, file}
	plan, err := j.Plan(t.Context(), deploy.VerbInstall)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := j.Operate(t.Context(), deploy.VerbInstall); err != nil {
		t.Fatal(err)
	}
	r := receiptOf(t, s, "")
	if r.Result != "done" || r.Plan != plan.Digest() || r.Command[1] != "install" || len(r.By) != 1 || r.By[0].User == "" {
		t.Errorf("the receipt says %+v", r)
	}
	if strings.Contains(strings.Join(r.Command, " "), password) {
		t.Errorf("the password is in the receipt: %v", r.Command)
	}
	want := kitsource.Bundle{Name: "acme", Digest: "d1", Key: "k1", Issued: "2026-01-02T03:04:05Z"}
	if len(r.Kits) != 1 || r.Kits[0].Name != ownKit || r.Kits[0].Bundle != want || r.Kits[0].SHA256 == "" || r.Kits[0].From != "bundle:"+ownKit {
		t.Errorf("kits: %+v", r.Kits)
	}
	var machines []string
	for _, n := range r.Nodes {
		machines = append(machines, n.Machine)
		if n.Result != receipt.Done || n.Instance != "IRIS" || !strings.Contains(ownKit, n.Version) || !cmp.Equal(n.Kits, []string{ownKit}) {
			t.Errorf("node %+v", n)
		}
	}
	if len(machines) != 3 {
		t.Errorf("nodes: %v", machines)
	}
}

func TestAReceiptOfAFailureSaysWhichNodeFailedAndWhichWasNotReached(t *testing.T) {
	s := provisioned(t, cluster)
	s.Machine(dm).Fail(kind.IRISInstall, "the installer ended with status 1")
	_ = fails(t.Context(), t, s, deploy.VerbInstall)
	r := receiptOf(t, s, "")
	if r.Result == "done" || r.Error == "" {
		t.Errorf("result %s, error %q", r.Result, r.Error)
	}
	results := map[string]string{}
	for _, n := range r.Nodes {
		results[n.Machine] = n.Result
	}
	if results[dm] == receipt.Done || results[am1] == receipt.Done || results[am1] == "" {
		t.Errorf("results: %v", results)
	}
	if len(r.Kits) != 1 || r.Kits[0].From != sim.OldKit || r.Kits[0].Bundle != (kitsource.Bundle{}) {
		t.Errorf("kits: %+v", r.Kits)
	}
}

func TestAReceiptOfWhatWasUndoneSaysSo(t *testing.T) {
	s := installed(t, cluster)
	id := receiptOf(t, s, "").Operation
	undo := job(s, "undo")
	if _, _, err := undo.Undo(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	if r := receiptOf(t, s, id); r.UndoneBy == "" || r.UndoneBy == id {
		t.Errorf("undone by %q", r.UndoneBy)
	}
	if _, err := job(s, "receipt").Receipt("2001"); err == nil || hint.Of(err) == "" {
		t.Errorf("an operation that does not exist: %v", err)
	}
}

func TestWhatHasNotEndedHasNoReceipt(t *testing.T) {
	s := provisioned(t, cluster)
	held, open := s.Machine(dm).Hold(kind.IRISInstall)
	r := begin(t, s, deploy.VerbInstall)
	wait(t, held, "the installation")
	_, err := job(s, "receipt").Receipt("")
	open()
	if err == nil || !strings.Contains(err.Error(), "has not ended: it is running") || hint.Of(err) == "" {
		t.Errorf("Receipt() = %v (%s)", err, hint.Of(err))
	}
	if err := wait(t, r.ended, "the end"); err != nil {
		t.Error(err)
	}
}
