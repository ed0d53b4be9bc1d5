package enginetest

import (
	"testing"
)

func TestANoteOutlivesTheTaskThatMadeIt(t *testing.T) {
	env := NewEnv(map[string]string{"key": "canary"})
	first := env.Task(t, "dir.ensure", map[string]string{"path": "/x"})
	if err := first.Note("made", []string{"/x"}); err != nil {
		t.Fatal(err)
	}
	first.Logf("made %s", "/x")

	var made []string
	ok, err := env.Task(t, "dir.ensure", nil).Load("made", &made)
	if err != nil || !ok || len(made) != 1 || made[0] != "/x" {
		t.Fatalf("Load = %v, %v, %v", made, ok, err)
	}
	if lines := env.Lines(); len(lines) != 1 || lines[0] != "made /x" {
		t.Fatalf("lines are %q", lines)
	}
}

func TestASecretIsFoundByItsNameOnly(t *testing.T) {
	task := NewEnv(map[string]string{"key": "canary"}).Task(t, "x", nil)
	s, err := task.Secret("key")
	if err != nil || s.Reveal() != "canary" {
		t.Fatalf("Secret = %v, %v", s, err)
	}
	if _, err := task.Secret("other"); err == nil {
		t.Fatal("a secret that was never given was found")
	}
}

func TestArgumentsAreDecodedStrictly(t *testing.T) {
	var got struct {
		Path string `json:"path"`
	}
	if err := NewTask(t, "x", map[string]string{"path": "/a"}).Decode(&got); err != nil || got.Path != "/a" {
		t.Fatalf("Decode = %v, path %q", err, got.Path)
	}
	if err := NewTask(t, "x", map[string]string{"pth": "/a"}).Decode(&got); err == nil {
		t.Fatal("an unknown argument was accepted")
	}
}
