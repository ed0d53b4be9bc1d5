// Package pluginhost starts providers: it finds the program
// icm-provider-<name>, checks it against the list of checksums made at build
// time, starts it with an environment of its own, and connects to it over a
// socket that only the two of them have certificates for.
//
// # Which program
//
// Providers lie beside icm, or in ../libexec/icm. ICM_PROVIDER_DIR names
// another directory, which is then the only one. The name of a provider is
// compared without regard to case.
//
// # Checksums
//
// Each directory has a file providers.sha256, in sha256sum's form, which the
// build writes. A provider that is not in it, or is another one than it says,
// is not started. A directory without the file is refused too, except by a
// development build of icm ([Config].Unlisted).
//
// # Stopping
//
// A provider that is killed kills terraform in the middle of an apply. So
// closing waits for open calls to return; who is in a hurry cancels them.
package pluginhost
