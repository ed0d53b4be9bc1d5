package tasks

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"icm/agent/engine/enginetest"
	"icm/agent/kitfile"
	"icm/internal/hint"
	"icm/internal/kind"
	"icm/internal/kitname"
	"icm/internal/wire"
)

// bring puts a kit where the controller's transfer leaves it.
func bring(t *testing.T, d Deps, text string) kind.Kit {
	t.Helper()
	path := d.incoming(kitname.Kit{Name: someKit})
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	packKit(t, path, text)
	sum, err := kitfile.Sum(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	st, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return kind.Kit{URL: kind.FromController + someKit, Name: someKit, SHA256: sum, Size: st.Size()}
}

func isThere(t *testing.T, path string) bool {
	t.Helper()
	_, err := os.Stat(path)
	return err == nil
}

func TestAKitThatTheControllerBroughtIsTakenOnce(t *testing.T) {
	d := Deps{Home: t.TempDir()}
	task := enginetest.NewTask(t, kind.KitFetch, bring(t, d, "one"))
	fetch := kitFetch(d)
	if look, err := fetch.Look(t.Context(), task); err != nil || look.Satisfied {
		t.Fatalf("before: %+v, %v", look, err)
	}
	for range 2 {
		if err := fetch.Do(t.Context(), task); err != nil {
			t.Fatal(err)
		}
		if look, err := fetch.Look(t.Context(), task); err != nil || !look.Satisfied {
			t.Errorf("after: %+v, %v", look, err)
		}
	}
	k := kitname.Kit{Name: someKit}
	if isThere(t, d.incoming(k)) || !isThere(t, d.archive(k)) {
		t.Error("what arrived still lies there, or no archive does")
	}
	if err := fetch.Undo(t.Context(), task); err != nil || isThere(t, d.archive(k)) {
		t.Errorf("undo leaves the archive, or says %v", err)
	}
}

func TestAnAgentKilledWhileItTookAKitTakesItAgain(t *testing.T) {
	d := Deps{Home: t.TempDir()}
	a := bring(t, d, "one")
	k := kitname.Kit{Name: someKit}
	// The archive is there, its mark is not: the check had not ended.
	if err := os.MkdirAll(filepath.Dir(d.archive(k)), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Link(d.incoming(k), d.archive(k)); err != nil {
		t.Fatal(err)
	}
	if err := kitFetch(d).Do(t.Context(), enginetest.NewTask(t, kind.KitFetch, a)); err != nil || !d.upToDate(k, a) {
		t.Errorf("the second try: %v", err)
	}
	// Everything is there, what arrived too: it had not been deleted yet.
	bring(t, d, "one")
	if err := kitFetch(d).Do(t.Context(), enginetest.NewTask(t, kind.KitFetch, a)); err != nil || isThere(t, d.incoming(k)) {
		t.Errorf("the third try: %v", err)
	}
}

func TestAKitThatIsNotTheOneThatWasPromisedIsNotTaken(t *testing.T) {
	d := Deps{Home: t.TempDir()}
	a := bring(t, d, "one")
	bring(t, d, "another")
	k := kitname.Kit{Name: someKit}
	err := kitFetch(d).Do(t.Context(), enginetest.NewTask(t, kind.KitFetch, a))
	if err == nil || !strings.Contains(err.Error(), "is expected") || isThere(t, d.archive(k)) {
		t.Errorf("Do() = %v; the archive is there: %v", err, isThere(t, d.archive(k)))
	}
	remove(t, d.incoming(k))
	err = kitFetch(d).Do(t.Context(), enginetest.NewTask(t, kind.KitFetch, a))
	if err == nil || !strings.Contains(err.Error(), "has not brought it") || hint.Of(err) == "" {
		t.Errorf("nothing arrived: %v", err)
	}
	a.SHA256 = ""
	err = kitFetch(d).Do(t.Context(), enginetest.NewTask(t, kind.KitFetch, a))
	if err == nil || !strings.Contains(err.Error(), "did not say its SHA-256") {
		t.Errorf("no sha256: %v", err)
	}
}

func TestSpaceForAKitThatComesIsCheckedBeforeItComes(t *testing.T) {
	d := Deps{Home: t.TempDir()}
	needs, err := d.KitNeeds(t.Context(), wire.CheckRequest{KitName: someKit, KitURL: kind.FromController + someKit, KitSize: 1000, KitSHA256: strings.Repeat("0", 64)})
	if err != nil || len(needs) != 2 || needs[0].Bytes != 1000 || needs[1].Bytes != 3000 {
		t.Errorf("needs %+v, %v", needs, err)
	}
}
