package cli

import (
	"bytes"
	"encoding/json"
	"path/filepath"

	"icm/internal/atomicfile"
)

// jsonFlag is -json, which writes response.json, or -json=- for standard
// output.
type jsonFlag struct{ to string }

func (j *jsonFlag) String() string   { return j.to }
func (j *jsonFlag) IsBoolFlag() bool { return true }
func (j *jsonFlag) Set(s string) error {
	switch s {
	case "true":
		j.to = "response.json"
	case "false":
		j.to = ""
	default:
		j.to = s
	}
	return nil
}

// write writes v, if JSON was asked for. An empty answer is the empty array.
func (j *jsonFlag) write(env *Env, v any) error {
	if j.to == "" {
		return nil
	}
	if v == nil {
		v = []any{}
	}
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(v); err != nil {
		return err
	}
	if j.to == "-" {
		_, err := env.Out.Write(buf.Bytes())
		return err
	}
	path := j.to
	if !filepath.IsAbs(path) {
		path = filepath.Join(env.Dir, path)
	}
	return atomicfile.Write(path, buf.Bytes(), 0o644)
}

// quiet reports whether people's text would spoil standard output.
func (j *jsonFlag) quiet() bool { return j.to == "-" }
