package main

import "strings"

// here finds the kit whatever the current directory. A set CDPATH makes cd
// print, which is what breaks real installers; the stand-in refuses it later.
const here = "here=$(CDPATH= cd -- \"$(dirname -- \"$0\")\" && pwd)\n"

// machineOf is what uname -m says on machines a platform is for.
func machineOf(platform string) string {
	if strings.HasSuffix(platform, "arm64") {
		return "aarch64"
	}
	return "x86_64"
}

// cplatname prints the platform of the machine, which is the kit's own on
// every known distribution of the right architecture.
func cplatname(platform string) string {
	return `#!/bin/sh
[ "$1" = identify ] || { echo "usage: cplatname identify" >&2; exit 1; }
if [ -n "$ISC_PACKAGE_PLATFORM" ]; then echo "$ISC_PACKAGE_PLATFORM"; exit 0; fi
[ -r /etc/os-release ] && . /etc/os-release
machine=$(uname -m)
case "$ID" in
debian|ubuntu|rhel|centos|rocky|almalinux|ol|sles|fedora|amzn) ;;
*) echo unknown; exit 1 ;;
esac
if [ "$machine" = ` + machineOf(platform) + ` ]; then echo ` + platform + `; exit 0; fi
case "$machine" in
aarch64) echo "lnx${ID}arm64" ;;
*) echo "lnx${ID}x64" ;;
esac
`
}

// prechecker fails on machines the kit is not for. It looks at the
// architecture even when the platform is named by hand.
func prechecker(platform string) string {
	return `#!/bin/sh
[ "$1" = quiet ] && exec >/dev/null
echo "Your system type is '` + platform + `'."
echo "Checking Requirements ..."
if [ "$(uname -m)" != ` + machineOf(platform) + ` ]; then
	echo "Requirement for machine ` + machineOf(platform) + ` is not satisfied."
	exit 1
fi
if [ -n "$ISC_PACKAGE_PLATFORM" ] && [ "$ISC_PACKAGE_PLATFORM" != ` + platform + ` ]; then
	echo "Platform $ISC_PACKAGE_PLATFORM is not the kit's."
	exit 1
fi
echo "Requirement for machine ` + machineOf(platform) + ` is satisfied."
`
}

// faults is the kit's own dist/standin.conf.
func faults(variant string) string {
	if variant == "broken-upgrade" {
		return "# variant broken-upgrade: starts, alerts, then dies\nhealth=alert\ncrash-after-ms=1500\n"
	}
	return ""
}

// waitScript waits for "running" and a health that is not "hung".
const waitScript = `#!/bin/sh
# Waits until an instance is ready: waitISC.sh [--instance NAME] [--maxWait SECONDS] [--goal STATUS]
instance=IRIS limit=300 goal=running
while [ $# -gt 1 ]; do
	case "$1" in
	--instance|-i) instance=$2 ;;
	--maxWait|-m) limit=$2 ;;
	--goal|-g) goal=$2 ;;
	esac
	shift 2
done
n=0
while [ "$n" -lt "$limit" ]; do
	line=$(timeout 10 iris qlist "$instance")
	status=$(echo "$line" | cut -d^ -f4 | cut -d, -f1)
	health=$(echo "$line" | cut -d^ -f9)
	[ "$status" = "$goal" ] && [ "$health" != hung ] && exit 0
	n=$((n + 1))
	sleep 1
done
exit 1
`
