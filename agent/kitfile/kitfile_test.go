package kitfile

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"icm/internal/hint"
	"icm/internal/secret"
)

// entry is one file of a test archive.
type entry struct {
	name, body, link string
	kind             byte
}

func archive(t testing.TB, entries ...entry) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	w := tar.NewWriter(z)
	for _, e := range entries {
		if e.kind == 0 {
			e.kind = tar.TypeReg
		}
		h := &tar.Header{Name: e.name, Size: int64(len(e.body)), Mode: 0o4755, Typeflag: e.kind, Linkname: e.link}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(e.body)); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(w.Close(), z.Close()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

var kit = []entry{
	{name: "IRIS-1/", kind: tar.TypeDir},
	{name: "IRIS-1/irisinstall_silent", body: "#!/bin/sh\n"},
	{name: "IRIS-1/dist/a", body: strings.Repeat("data ", 1000)},
	{name: "IRIS-1/dist/b", kind: tar.TypeSymlink, link: "../dist/a"},
	{name: "IRIS-1/dist/c", kind: tar.TypeLink, link: "IRIS-1/dist/a"},
}

func write(t testing.TB, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "kit.tar.gz")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func silent(int64) {}

func TestAKitIsUnpacked(t *testing.T) {
	dst := filepath.Join(t.TempDir(), "out")
	if err := Unpack(t.Context(), write(t, archive(t, kit...)), dst, KitLimits, silent); err != nil {
		t.Fatal(err)
	}
	dir, err := FindInstaller(dst)
	if err != nil || filepath.Base(dir) != "IRIS-1" {
		t.Fatalf("FindInstaller() = %q, %v", dir, err)
	}
	st, err := os.Stat(filepath.Join(dir, installer))
	if err != nil || st.Mode() != 0o755 {
		t.Errorf("the installer's mode is %v, %v; setuid means nothing in a kit", st.Mode(), err)
	}
	for _, name := range []string{"a", "b", "c"} {
		if data, err := os.ReadFile(filepath.Join(dir, "dist", name)); err != nil || len(data) != 5000 {
			t.Errorf("%s: %d bytes, %v", name, len(data), err)
		}
	}
}

func TestAnArchiveCannotWriteOutside(t *testing.T) {
	for name, entries := range map[string][]entry{
		"an absolute name":            {{name: "/etc/x", body: "x"}},
		"a name with dots":            {{name: "a/../../x", body: "x"}},
		"an absolute link":            {{name: "l", kind: tar.TypeSymlink, link: "/etc"}},
		"a link that leads out":       {{name: "a/l", kind: tar.TypeSymlink, link: "../../x"}},
		"a file through a link":       {{name: "d/", kind: tar.TypeDir}, {name: "l", kind: tar.TypeSymlink, link: "d"}, {name: "l/x", body: "x"}},
		"a link made through a link":  {{name: "s/", kind: tar.TypeDir}, {name: "s/t", kind: tar.TypeSymlink, link: ".."}, {name: "s/t/x", kind: tar.TypeSymlink, link: "../../z"}},
		"a hard link out":             {{name: "l", kind: tar.TypeLink, link: "../x"}},
		"a hard link to an absolute":  {{name: "l", kind: tar.TypeLink, link: "/etc/passwd"}},
		"a device":                    {{name: "dev", kind: tar.TypeBlock}},
		"a pipe":                      {{name: "pipe", kind: tar.TypeFifo}},
		"the same file twice":         {{name: "a", body: "1"}, {name: "a", body: "2"}},
		"a file over a link":          {{name: "a", kind: tar.TypeSymlink, link: "b"}, {name: "a", body: "x"}},
		"a directory in a file":       {{name: "a", body: "x"}, {name: "a/b", body: "x"}},
		"a name with dots at its end": {{name: "..", kind: tar.TypeDir}},
	} {
		t.Run(name, func(t *testing.T) {
			parent := t.TempDir()
			err := Unpack(t.Context(), write(t, archive(t, entries...)), filepath.Join(parent, "out"), KitLimits, silent)
			if err == nil {
				t.Error("it is unpacked")
			}
			left, _ := os.ReadDir(parent)
			if len(left) != 1 {
				t.Errorf("files beside the directory: %v", left)
			}
		})
	}
}

func TestABombIsDefused(t *testing.T) {
	data := archive(t, entry{name: "big", body: strings.Repeat("0", 1<<20)}, entry{name: "b", body: "x"})
	for name, limits := range map[string]Limits{"bytes": {Bytes: 1 << 19, Files: 10}, "files": {Bytes: 1 << 30, Files: 1}} {
		if err := Unpack(t.Context(), write(t, data), filepath.Join(t.TempDir(), "out"), limits, silent); err == nil || !strings.Contains(err.Error(), "any kit") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzUnpack(f *testing.F) {
	f.Add(archive(f, kit...))
	f.Add(archive(f, entry{name: "../x", body: "x"}))
	f.Add(archive(f, entry{name: "s/t", kind: tar.TypeSymlink, link: ".."}, entry{name: "s/t/x", kind: tar.TypeSymlink, link: "../../z"}))
	f.Fuzz(func(t *testing.T, data []byte) {
		parent := t.TempDir()
		_ = Unpack(t.Context(), write(t, data), filepath.Join(parent, "out"), Limits{Bytes: 1 << 20, Files: 100}, silent)
		if left, _ := os.ReadDir(parent); len(left) > 1 {
			t.Fatalf("files beside the directory: %v", left)
		}
	})
}

func TestADamagedArchiveIsToldInWords(t *testing.T) {
	whole := archive(t, kit...)
	flipped := bytes.Clone(whole)
	flipped[len(flipped)-6] ^= 1 // within the checksum at the end
	for name, c := range map[string]struct {
		data       []byte
		sum, words string
	}{
		"cut off":              {whole[:len(whole)/2], "", "cut off"},
		"cut in its checksum":  {whole[:len(whole)-4], "", "cut off"},
		"empty":                {nil, "", "cut off"},
		"a web page":           {[]byte("<html>please log in</html>"), "", "not a gzipped file"},
		"a wrong checksum":     {flipped, "", "checksum"},
		"another file":         {whole, strings.Repeat("0", 64), "SHA-256"},
		"something else in it": {archive(t, entry{name: "readme", body: "x"}), "", "no irisinstall_silent"},
	} {
		_, err := Check(t.Context(), write(t, c.data), c.sum)
		if err == nil || !strings.Contains(err.Error(), c.words) {
			t.Errorf("%s: %v, want %q", name, err, c.words)
		}
	}
	for _, name := range []string{"kit/agentinstall", "./agentinstall", "kit/install/GatewayInstall", "install/GatewayInstall"} {
		if _, err := Check(t.Context(), write(t, archive(t, entry{name: name, body: "x"})), ""); err != nil {
			t.Errorf("a kit with %s: %v", name, err)
		}
	}
	if _, err := Check(t.Context(), write(t, archive(t, entry{name: "a/b/agentinstall", body: "x"})), ""); err == nil {
		t.Error("an installer two directories down was found")
	}
	got, err := Check(t.Context(), write(t, whole), "")
	if err != nil {
		t.Fatal(err)
	}
	if again, err := Check(t.Context(), write(t, whole), strings.ToUpper(got)); err != nil || again != got {
		t.Errorf("Check() = %q, %v", again, err)
	}
	if s, err := Sum(t.Context(), write(t, whole)); err != nil || s != got {
		t.Errorf("Sum() = %q, %v", s, err)
	}
}

func server(t *testing.T, h http.HandlerFunc) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s
}

func TestADownloadGoesOnWhereItStopped(t *testing.T) {
	data := archive(t, kit...)
	var ranges []string
	s := server(t, func(w http.ResponseWriter, r *http.Request) {
		ranges = append(ranges, r.Header.Get("Range"))
		http.ServeFile(w, r, write(t, data))
	})
	path := filepath.Join(t.TempDir(), "kit")
	if err := os.WriteFile(path+".part", data[:100], 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Fetch(t.Context(), Source{URL: s.URL + "/kit"}, path, silent); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, data) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	if len(ranges) != 1 || ranges[0] != "bytes=100-" {
		t.Errorf("asked for %q", ranges)
	}
}

func TestCredentialsReachTheServerAndNoArgument(t *testing.T) {
	const user, password = `o"per\ator`, `canary "7f` + `\3a`
	var got []string
	s := server(t, func(w http.ResponseWriter, r *http.Request) {
		u, p, _ := r.BasicAuth()
		got = []string{u, p}
	})
	src := Source{URL: s.URL + "/kit", Credentials: secret.New(user + ":" + password)}
	c, err := downloader(src, "x")
	if err != nil {
		t.Fatal(err)
	}
	if argv := strings.Join(append(c.Args, c.Env...), " "); strings.Contains(argv, "canary") || strings.Contains(argv, s.URL) {
		t.Errorf("address or password in the arguments: %s", argv)
	}
	if err := Fetch(t.Context(), src, filepath.Join(t.TempDir(), "kit"), silent); err != nil {
		t.Fatal(err)
	}
	if len(got) != 2 || got[0] != user || got[1] != password {
		t.Errorf("the server got %q", got)
	}
}

func TestWhatGoesWrongIsToldWithTheAddress(t *testing.T) {
	status := func(code int) string {
		return server(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }).URL
	}
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := "http://" + closed.Addr().String()
	if err := closed.Close(); err != nil {
		t.Fatal(err)
	}
	short := server(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "1000")
		_, _ = w.Write([]byte("short"))
	}).URL
	toFile := server(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "file:///etc/passwd", http.StatusFound)
	}).URL
	for _, c := range []struct{ url, words string }{
		{status(404), "no such file"}, {status(403), "status 403"}, {status(401), "status 401"},
		{nobody, "refuses"}, {short, "early"}, {toFile, "status"},
		{"file:///no/such/kit", "there is no file /no/such/kit"}, {"file:///etc", "not a file"},
	} {
		path := filepath.Join(t.TempDir(), "kit")
		ctx, cancel := context.WithCancel(t.Context())
		err := Fetch(ctx, Source{URL: c.url, Credentials: secret.New("u:canary")}, path, silent)
		cancel()
		if err == nil || !strings.Contains(err.Error(), c.words) || strings.Contains(err.Error(), "canary") {
			t.Errorf("%s: %v, want %q", c.url, err, c.words)
			continue
		}
		var h *hint.Error
		if strings.HasPrefix(c.url, "http") && !strings.Contains(err.Error(), c.url) {
			t.Errorf("%s: the address is missing: %v", c.url, err)
		}
		if c.words == "no such file" && (!errors.As(err, &h) || h.Hint == "") {
			t.Errorf("%s: no hint", c.url)
		}
		if _, err := os.Stat(path); err == nil {
			t.Errorf("%s: the kit is there", c.url)
		}
	}
}

func TestAFileOnTheNodeIsTakenAndKept(t *testing.T) {
	from := write(t, archive(t, kit...))
	path := filepath.Join(t.TempDir(), "kit")
	if err := Fetch(t.Context(), Source{URL: "file://" + from}, path, silent); err != nil {
		t.Fatal(err)
	}
	for _, p := range []string{from, path} {
		if _, err := Check(t.Context(), p, ""); err != nil {
			t.Errorf("%s: %v", p, err)
		}
	}
}

func TestAKitIsAskedForBeforeItIsFetched(t *testing.T) {
	data := archive(t, kit...)
	file := write(t, data)
	whole := server(t, func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, file) }).URL
	moved := server(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, whole, http.StatusFound) }).URL
	answers := func(code int) string {
		return server(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }).URL
	}
	for name, c := range map[string]struct {
		source Source
		size   int64
		words  string // of the error
	}{
		"on a server":                   {Source{URL: whole}, int64(len(data)), ""},
		"where it was moved to":         {Source{URL: moved}, int64(len(data)), ""},
		"on the node":                   {Source{URL: "file://" + file}, int64(len(data)), ""},
		"not there":                     {Source{URL: answers(404)}, 0, "no such file (status 404)"},
		"not on the node":               {Source{URL: "file:///no/such/kit"}, 0, "there is no file /no/such/kit"},
		"a directory":                   {Source{URL: "file:///etc"}, 0, "not a file"},
		"behind a password":             {Source{URL: answers(401)}, 0, "status 401"},
		"behind a password that we own": {Source{URL: answers(401), Withheld: true}, UnknownSize, ""},
		"on a server that has no HEAD":  {Source{URL: answers(405)}, UnknownSize, ""},
	} {
		t.Run(name, func(t *testing.T) {
			size, err := Probe(t.Context(), c.source)
			switch {
			case c.words != "" && (err == nil || !strings.Contains(err.Error(), c.words)):
				t.Errorf("%v, want %q", err, c.words)
			case c.words == "" && (err != nil || size != c.size):
				t.Errorf("Probe() = %d, %v; want %d", size, err, c.size)
			}
		})
	}
}

func TestTheOtherDownloaderAsksForHeadersToo(t *testing.T) {
	data := archive(t, kit...)
	file := write(t, data)
	whole := server(t, func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, file) }).URL
	path, err := exec.LookPath("wget")
	if err != nil {
		t.Skip("wget is missing")
	}
	c, err := wget(path, Source{URL: whole}, "-", wgetHead()...)
	if err != nil {
		t.Fatal(err)
	}
	out, err := c.Run(t.Context())
	if size := lengthOf(out.Stdout + "\n" + out.Stderr); err != nil || size != int64(len(data)) {
		t.Errorf("%d bytes, %v; want %d:\n%s", size, err, len(data), out.Stderr)
	}
}
