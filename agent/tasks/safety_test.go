package tasks

import (
	"os"
	"strings"
	"testing"
)

// volumeCases are all rows there are, in the order of volume_decide.go.
var volumeCases = []volumeCase{
	caseDirectory, caseMissing, caseMoved, caseReadOnly, caseInUse, caseMounted, casePoint, caseInPlace,
	caseOurs, caseHalfMade, caseBlank, caseLabelOnly, caseForeign, caseSpareCopy, caseUnknown, caseUnreadable,
}

func TestTheTableOfVolumesInTheDocsIsTheDecision(t *testing.T) {
	data, err := os.ReadFile("../../docs/safety.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(data), "\n## Volumes\n")
	section, _, _ = strings.Cut(section, "\n## ")
	rows := map[volumeCase][2]volumeAction{}
	for line := range strings.Lines(section) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		if len(cells) != 3 || strings.HasPrefix(cells[0], "---") || strings.Contains(cells[0], "What the look finds") {
			continue
		}
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		rows[volumeCase(cells[0])] = [2]volumeAction{volumeAction(cells[1]), volumeAction(cells[2])}
	}
	for _, c := range volumeCases {
		row, ok := rows[c]
		if !ok {
			t.Errorf("the docs have no row for: %s", c)
			continue
		}
		if got := [2]volumeAction{decideVolume(c, false), decideVolume(c, true)}; got != row {
			t.Errorf("%s: the code decides %q, the docs say %q", c, got, row)
		}
		delete(rows, c)
	}
	for c := range rows {
		t.Errorf("the code does not know the row: %s", c)
	}
}

func TestWhatIsNotInTheTableIsRefused(t *testing.T) {
	for _, wipe := range []bool{false, true} {
		if got := decideVolume("something new", wipe); got != actRefuse {
			t.Errorf("something new is answered with %q", got)
		}
	}
}
