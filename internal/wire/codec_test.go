package wire

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"flag"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/vmihailenco/msgpack/v5"
)

var update = flag.Bool("update", false, "write the golden frames anew: only together with a new protocol version")

// golden is every boundary type, with every field set: what is in testdata
// must not change while Version stays as it is.
func golden() map[string]any {
	at := time.Date(2024, 2, 29, 23, 59, 59, 5000, time.UTC)
	fence := Fence{Deployment: "ICM-1", Number: 7}
	task := Task{ID: "1", Kind: "kit.fetch", Summary: "Fetch kit", Args: []byte(`{"url":"x"}`), Bind: "b"}
	change := Change{ID: "c1", Operation: "o1", Plan: "d1", Summary: "Install", OnError: Undo, Tasks: []Task{task}}
	look := Look{Satisfied: true, Diffs: []Diff{{What: "w", Before: "b", After: "a"}}, Refused: "r", Hint: "h", Bind: "b"}
	event := Event{Seq: 9, Time: at, Change: "c1", Task: "1", Status: StatusError, Line: "l", Error: "e", Hint: "h"}
	progress := Progress{Change: "c1", Task: "1", Done: 1, Total: 2, Unit: "bytes", Note: "n",
		Waiting: &Waiting{For: "f", Last: "l", Lasted: time.Second, Left: time.Minute, Clears: "c"}}
	inst := Instance{Name: "IRIS", Dir: "/d", Version: "v", Status: "running", Since: "s", CPF: "c", SuperServer: "1972",
		WebServer: "52773", JDBCGateway: "0", Health: "ok", Product: "IRIS", MirrorType: "Failover", MirrorStatus: "Primary", DataDir: "/dd", SuperServers: "1972",
		Mirror: &MirrorState{Name: "M", Member: "A", Type: "Failover", Status: "Backup", Transfer: "Active", Dejournal: "Caught up", Arbiter: "h:2188", CaughtUp: true}, Sharding: "node"}
	state := ChangeState{Change: change, Status: StatusError, Error: "e", Hint: "h",
		Tasks: []TaskState{{ID: "1", Status: StatusError, Error: "e", Log: []string{"l"}}}}
	member := Membership{Deployment: "d", MachineName: "m", Role: "DM", Definition: "e", Label: "l", Tag: "t", Fields: map[string]string{"f": "v"}, Fence: 7, Updated: at}
	facts := Facts{Build: "b", Deployment: "d", NodeID: "n", Hostname: "h", OS: OSRelease{ID: "debian", Like: []string{"x"}, Version: "12", Name: "Debian"},
		Kernel: "6", Arch: "amd64", CPUs: 2, Memory: 1 << 33, Time: at, BootID: "b", Addresses: []string{"10.0.0.1"},
		Platforms: []string{"lnxrh8x64"}, Instances: []Instance{inst}, Busy: "c1", Membership: &member}
	ails := HealthFinding{Check: "space", Severity: SeverityWarn, Text: "t", Since: at, Until: at, Hint: "h"}
	check := CheckRequest{Now: at, Ports: []PortNeed{{Port: 1972, For: "superserver"}}, Space: []SpaceNeed{{Path: "/iris", Bytes: 5, For: "kit"}},
		Memory: 1, KitName: "k", KitURL: "u", Commands: []string{"tar"}, Reach: []string{"h:1"}, Instance: "IRIS", InstallDir: "/i", KitLogin: true, KitSize: 6, KitSHA256: "s", AgentPort: 2188, Apache: true}
	return map[string]any{
		"hello": Hello{Version: 1, Oldest: 1, Build: "b"}, "error": Error{Code: CodeBusy, Message: "m", Hint: "h"},
		"facts_request": FactsRequest{}, "facts": facts,
		"check_request": check, "check_reply": CheckReply{Findings: []Finding{{Check: "clock", Result: "pass", Text: "t", Hint: "h"}}},
		"look_request": LookRequest{Tasks: []Task{task}}, "look_reply": LookReply{Looks: []Look{look}},
		"submit_request": SubmitRequest{Fence: fence, Change: change, Secrets: map[string][]byte{"b": {2}, "a": {1}, "c": {3}}},
		"submit_reply":   SubmitReply{Known: true, Status: StatusDoing, Seq: 3},
		"events_request": EventsRequest{After: 4, Change: "c1", Follow: true}, "events_reply": EventsReply{Last: 9},
		"item_event": Item{Event: &event}, "item_progress": Item{Progress: &progress},
		"changes_request": ChangesRequest{ID: "c1"}, "changes_reply": ChangesReply{Changes: []ChangeState{state}},
		"abort_request": AbortRequest{Fence: fence, Change: "c1"}, "abort_reply": AbortReply{Status: StatusUndoing},
		"remember_request": RememberRequest{Fence: fence, Membership: member}, "remember_reply": RememberReply{},
		"release_request": ReleaseRequest{Fence: fence}, "release_reply": ReleaseReply{},
		"survey_request": SurveyRequest{}, "survey_reply": SurveyReply{Instances: []Surveyed{{
			Instance: inst, Owner: "o", OwnerGroup: "og", User: "u", Group: "g", Security: "Normal", Platform: "p",
			Settings: map[string]string{"config.wijdir": "/w/"}, DataServers: []string{"h:1"}, Databases: map[string]string{"DB": "/d"},
		}}},
		"health_request":    HealthRequest{MaxAge: 5, Seen: true, Past: true},
		"health_reply":      HealthReply{Now: at, At: at, Busy: "c1", Findings: []HealthFinding{ails}, Past: []HealthFinding{ails}},
		"instances_request": InstancesRequest{}, "instances_reply": InstancesReply{Instances: []Instance{inst}},
		"session_request": SessionRequest{Instance: "IRIS", Namespace: "USER", Language: "sql", Code: "select 1", User: "u", Password: "p", Limit: 5},
		"session_reply":   SessionReply{Out: "o", Err: "e", Exit: 1, Failed: true},
	}
}

func TestGoldenFramesDoNotChangeWithinAVersion(t *testing.T) {
	for name, v := range golden() {
		t.Run(name, func(t *testing.T) {
			body, err := Encode(v)
			if err != nil {
				t.Fatal(err)
			}
			frame, err := AppendFrame(nil, Frame{Kind: FrameCall, ID: 300, Method: name, Body: body})
			if err != nil {
				t.Fatal(err)
			}
			path := filepath.Join("testdata", "golden", name+".hex")
			if *update {
				if err := os.WriteFile(path, []byte(hex.EncodeToString(frame)+"\n"), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			want, err := hex.DecodeString(strings.TrimSpace(string(text)))
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(frame, want) {
				t.Fatalf("the frame is now\n%q, it was\n%q", frame, want)
			}
			f, err := ReadFrame(bytes.NewReader(want))
			if err != nil {
				t.Fatal(err)
			}
			back := reflect.New(reflect.TypeOf(v))
			if err := Decode(f.Body, back.Interface()); err != nil {
				t.Fatal(err)
			}
			again, err := Encode(back.Elem().Interface())
			if err != nil || !bytes.Equal(again, body) {
				t.Fatalf("read and written again it is %q, %v", again, err)
			}
		})
	}
}

func TestEveryGoldenValueHasEveryFieldSet(t *testing.T) {
	for name, v := range golden() {
		rv := reflect.ValueOf(v)
		for i := range rv.NumField() {
			if name != "item_event" && name != "item_progress" && rv.Field(i).IsZero() {
				t.Errorf("%s: field %s is not set, so nothing guards it", name, rv.Type().Field(i).Name)
			}
		}
	}
}

func TestBadFramesAreRefused(t *testing.T) {
	frame := func(v any) []byte {
		body, err := msgpack.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return append(binary.BigEndian.AppendUint32(nil, uint32(len(body))), body...)
	}
	for name, data := range map[string][]byte{
		"a length of nothing":      {0, 0, 0, 0},
		"a length beyond the max":  {0xff, 0xff, 0xff, 0xff},
		"an unknown field":         frame(map[string]any{"k": 2, "zz": 1}),
		"an unknown kind":          frame(map[string]any{"k": 99}),
		"bytes left over":          {0, 0, 0, 2, 0xc0, 0xc0},
		"a map of four billion":    {0, 0, 0, 5, 0xdf, 0xff, 0xff, 0xff, 0xff},
		"a body that is cut off":   {0, 0, 0, 9, 0x81},
		"something not msgpack":    {0, 0, 0, 1, 0xc1},
		"deep nesting":             append([]byte{0, 0, 0, 100}, bytes.Repeat([]byte{0x91}, 100)...),
		"a frame that is no map":   {0, 0, 0, 1, 0x05},
		"a header that is cut off": {0, 0},
	} {
		if f, err := ReadFrame(bytes.NewReader(data)); err == nil {
			t.Errorf("%s was read as %+v", name, f)
		}
	}
	if _, err := ReadFrame(bytes.NewReader(nil)); err != io.EOF {
		t.Errorf("the end between two frames is %v, want io.EOF", err)
	}
}

func TestAFrameThatIsTooBigIsNotWritten(t *testing.T) {
	var out bytes.Buffer
	err := WriteFrame(&out, Frame{Kind: FrameReply, ID: 1, Body: bytes.Repeat([]byte{0xc0}, MaxFrame+1)})
	if err == nil || out.Len() != 0 {
		t.Fatalf("error %v, %d bytes written", err, out.Len())
	}
}

func TestAnAnnouncedLengthAloneTakesNoMemory(t *testing.T) {
	head := binary.BigEndian.AppendUint32(nil, MaxFrame)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if _, err := ReadFrame(bytes.NewReader(head)); err == nil {
		t.Fatal("a frame without a body was read")
	}
	runtime.ReadMemStats(&after)
	if took := after.TotalAlloc - before.TotalAlloc; took > MaxFrame/4 {
		t.Fatalf("it took %d bytes", took)
	}
}

func FuzzReadFrame(f *testing.F) {
	for name, v := range golden() {
		body, err := Encode(v)
		if err != nil {
			f.Fatal(err)
		}
		frame, err := AppendFrame(nil, Frame{Kind: FrameReply, ID: 1, Method: name, Body: body})
		if err != nil {
			f.Fatal(err)
		}
		f.Add(frame)
	}
	f.Add([]byte{0, 0, 0, 5, 0xdd, 0xff, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, data []byte) {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		frame, err := ReadFrame(bytes.NewReader(data))
		if err == nil {
			for _, v := range golden() {
				_ = Decode(frame.Body, reflect.New(reflect.TypeOf(v)).Interface()) // must not panic
			}
			if _, err := AppendFrame(nil, frame); err != nil {
				t.Fatalf("a frame that was read cannot be written: %v", err)
			}
		}
		runtime.ReadMemStats(&after)
		if took := after.TotalAlloc - before.TotalAlloc; took > 8*MaxFrame {
			t.Fatalf("%d bytes took %d bytes of memory", len(data), took)
		}
	})
}
