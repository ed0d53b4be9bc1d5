package docs_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"icm/agent/monitor"
	"icm/controller/deploy"
)

func TestTheTableOfFindingsIsThatOfTheProgram(t *testing.T) {
	want := map[string][2]string{}
	for name, about := range monitor.Table() {
		want[name] = [2]string{about.What, strings.ReplaceAll(about.Hint, "%s", "WHAT")}
	}
	for name, about := range deploy.HealthChecks {
		want[name] = [2]string{about.What, about.Hint}
	}
	got := map[string][2]string{}
	for _, row := range readPage(t, "docs/health.md").table(t, "## What icm health finds") {
		got[strings.Trim(row[0], "`")] = [2]string{row[1], strings.Trim(row[2], "`")}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("docs/health.md (+) is not what the code says (-):\n%s", diff)
	}
}
