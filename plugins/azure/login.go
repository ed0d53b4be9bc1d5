package main

import (
	"fmt"

	"icm/plugins/internal/terraform"
)

// Environment implements terraform.Cloud: the application that the fields name,
// the identity of the machine that icm runs on, or what is set up already.
func (azure) Environment(d *terraform.Deployment, outside func(string) string) (map[string]string, error) {
	env := terraform.Taken(outside, passed)
	if tenant := d.Global.Get("TenantId"); tenant != "" {
		env["ARM_TENANT_ID"] = tenant
	}
	if d.Global.Bool("UseMSI") {
		delete(env, "ARM_CLIENT_SECRET")
		env["ARM_USE_MSI"] = "true"
		return env, nil
	}
	for variable, field := range map[string]string{"ARM_CLIENT_ID": "ClientId", "ARM_CLIENT_SECRET": "ClientSecret"} {
		if v := d.Global.Get(field); v != "" {
			env[variable] = v
		}
	}
	byOther := env["ARM_USE_OIDC"] == "true" || env["ARM_CLIENT_CERTIFICATE_PATH"] != ""
	if env["ARM_CLIENT_ID"] == "" || env["ARM_CLIENT_SECRET"] == "" && !byOther {
		return nil, fmt.Errorf("there are no credentials for Azure: ClientId and ClientSecret are not set, nor are ARM_CLIENT_ID and ARM_CLIENT_SECRET; on a machine in Azure, UseMSI needs neither")
	}
	return env, nil
}

// passed are the variables that the provider reads.
var passed = []string{
	"ARM_CLIENT_ID", "ARM_CLIENT_SECRET", "ARM_TENANT_ID", "ARM_ENVIRONMENT", "ARM_METADATA_HOSTNAME", "ARM_MSI_ENDPOINT", "ARM_CLIENT_CERTIFICATE_PATH",
	"ARM_CLIENT_CERTIFICATE_PASSWORD", "ARM_USE_OIDC", "ARM_OIDC_TOKEN", "ARM_OIDC_TOKEN_FILE_PATH",
}
