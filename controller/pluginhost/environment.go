package pluginhost

import (
	"slices"
	"strings"
)

// environment is what a provider gets of our own environment: what a program
// needs to run, the way out of the site, and the cloud's credentials, which are
// often there only. Everything else stays here.
func environment(ours []string) []string {
	var out []string
	for _, entry := range ours {
		name, _, _ := strings.Cut(entry, "=")
		if slices.Contains(passedNames, name) || slices.ContainsFunc(passedPrefixes, func(p string) bool { return strings.HasPrefix(name, p) }) {
			out = append(out, entry)
		}
	}
	return out
}

// Both lists are only read.
var (
	passedNames = []string{
		"PATH", "HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "TZ", "TMPDIR", "XDG_CACHE_HOME", "XDG_CONFIG_HOME",
		"HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy",
		"SSL_CERT_FILE", "SSL_CERT_DIR",
		"CLOUDSDK_CONFIG", // gcloud's own files
	}
	passedPrefixes = []string{
		"AWS_", "GOOGLE_", "GCLOUD_", "GCP_", "ARM_", "AZURE_", "VSPHERE_", "GOVC_",
		"ICM_LAB_",
		"TF_CLI_CONFIG_FILE", "TF_PLUGIN_CACHE_DIR", // where sites without a network keep terraform's providers
	}
)
