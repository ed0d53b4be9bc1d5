package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"icm/plugins/internal/terraform"
)

// Environment implements terraform.Cloud: the file that Credentials names, or
// what is set up for Google's own tools.
func (gcp) Environment(d *terraform.Deployment, outside func(string) string) (map[string]string, error) {
	env := terraform.Taken(outside, passed)
	path := d.Global.Get("Credentials")
	if path == "" {
		if len(terraform.Taken(outside, logins)) == 0 && !ownFile(outside("HOME")) {
			return nil, fmt.Errorf("there are no credentials for GCP: Credentials names no file, and neither GOOGLE_APPLICATION_CREDENTIALS nor `gcloud auth application-default login` is set up")
		}
		return env, nil
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("cannot read Credentials: %w", err)
	}
	if !json.Valid(text) {
		return nil, fmt.Errorf("cannot use Credentials %s: it is no JSON file, as Google's console makes it", path)
	}
	for _, name := range logins { // one of them would win over the file that the user names
		delete(env, name)
	}
	env["GOOGLE_APPLICATION_CREDENTIALS"] = path
	return env, nil
}

// logins are the variables that the provider finds credentials by.
var logins = []string{
	"GOOGLE_CREDENTIALS", "GOOGLE_CLOUD_KEYFILE_JSON", "GCLOUD_KEYFILE_JSON", "GOOGLE_OAUTH_ACCESS_TOKEN", "GOOGLE_APPLICATION_CREDENTIALS",
}

// passed are all variables that it reads.
var passed = append([]string{"GOOGLE_IMPERSONATE_SERVICE_ACCOUNT"}, logins...)

func ownFile(home string) bool {
	_, err := os.Stat(filepath.Join(home, ".config", "gcloud", "application_default_credentials.json"))
	return err == nil
}
