// Package terraform is what the cloud providers share: it turns a request into
// variables, runs terraform or OpenTofu over templates, and turns what
// terraform says into nodes.
//
// # Workspace
//
// A directory in the state directory in which terraform is run: one for the
// network of the deployment, called Label-Tag, and one for each definition,
// called Label-Role-Tag. Each has the templates, terraform.tfvars,
// terraform.tfstate and, where something went wrong, terraform.err.
//
// # Template
//
// A cloud has two, "network" and "nodes": small .tf files that are copied into
// the workspaces. A site may replace or add files (TerraformOverrideDir).
//
// # Consent
//
// What would lose data is refused, unless AllowDataLoss names the machine.
//
// # Guard
//
// The plugin's own program, run as terraform's: it makes sure that terraform
// outlives a plugin that is killed, and becomes terraform.
package terraform
