package check

import "runtime"

func hostArch() string { return runtime.GOARCH }

// hostSuffix is how the names of kits end for this processor.
func hostSuffix() string {
	if runtime.GOARCH == "arm64" {
		return "arm64"
	}
	return "x64"
}
