package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"icm/plugins/internal/terraform"
)

// Environment implements terraform.Cloud: the file that Credentials names, or
// what is set up for Amazon's own tools.
func (aws) Environment(d *terraform.Deployment, outside func(string) string) (map[string]string, error) {
	env := terraform.Taken(outside, awsNames)
	path := d.Global.Get("Credentials")
	if path == "" {
		if len(env) == 0 && !ownFiles(outside("HOME")) {
			return nil, fmt.Errorf("there are no credentials for AWS: Credentials names no file, and neither AWS_ACCESS_KEY_ID nor ~/.aws/credentials is set up")
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
	if !strings.Contains(string(text), "aws_access_key_id") {
		return nil, fmt.Errorf("cannot use Credentials %s: it has no aws_access_key_id", path)
	}
	// A variable would win over the file that the user names.
	for _, name := range []string{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"} {
		delete(env, name)
	}
	env["AWS_SHARED_CREDENTIALS_FILE"] = path
	return env, nil
}

// awsNames are the variables that the provider reads.
var awsNames = []string{
	"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE",
	"AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CA_BUNDLE", "AWS_ENDPOINT_URL",
}

func ownFiles(home string) bool {
	for _, name := range []string{"credentials", "config"} {
		if _, err := os.Stat(filepath.Join(home, ".aws", name)); err == nil {
			return true
		}
	}
	return false
}
