package host

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// Providers name volumes by the links that udev makes where the platform's
// rules are installed. Where they are not, the same identity is in sysfs, or
// under another link.
var (
	amazonVolume = regexp.MustCompile(`^disk/by-id/nvme-Amazon_Elastic_Block_Store_(vol[0-9a-f]+)$`)
	googleDisk   = regexp.MustCompile(`^disk/by-id/google-(.+)$`)
	wwnDisk      = regexp.MustCompile(`^disk/by-id/wwn-0x([0-9a-f]+)$`)
	azureUnit    = regexp.MustCompile(`^disk/azure/scsi1/lun(\d+)$`)
)

// findIdentity finds a device by the identity that a link, which is not there,
// would stand for. It returns the device's path, "" for none.
func (b Blocks) findIdentity(link string) (string, error) {
	if m := azureUnit.FindStringSubmatch(link); m != nil {
		for _, other := range []string{"disk/azure/data/by-lun/" + m[1]} {
			if real, err := filepath.EvalSymlinks(filepath.Join(b.Dev, other)); err == nil {
				return real, nil
			}
		}
		return "", nil
	}
	fits := identityOf(link)
	if fits == nil {
		return "", nil
	}
	entries, err := os.ReadDir(filepath.Join(b.Sys, "class/block"))
	if err != nil {
		return "", err
	}
	var found []string
	for _, e := range entries {
		d, err := b.byName(e.Name())
		if err == nil && d.Partition == 0 && fits(d) {
			found = append(found, d.Path)
		}
	}
	slices.Sort(found)
	if len(found) > 1 {
		return "", fmt.Errorf("%s may be any of %s", link, strings.Join(found, ", "))
	}
	return strings.Join(found, ""), nil
}

// identityOf reports whether a device is the one that a link stands for; nil
// where a link says nothing about that.
func identityOf(link string) func(Device) bool {
	if m := amazonVolume.FindStringSubmatch(link); m != nil {
		return func(d Device) bool { return strings.ReplaceAll(d.Serial, "-", "") == m[1] }
	}
	if m := googleDisk.FindStringSubmatch(link); m != nil {
		return func(d Device) bool { return d.Serial == m[1] || strings.HasSuffix(d.Serial, "PersistentDisk_"+m[1]) }
	}
	if m := wwnDisk.FindStringSubmatch(link); m != nil {
		return func(d Device) bool { return bareWWN(d.WWN) == m[1] }
	}
	return nil
}

// bareWWN is a WWN without what says of which kind it is.
func bareWWN(wwn string) string {
	wwn = strings.ToLower(wwn)
	for _, prefix := range []string{"naa.", "eui.", "uuid.", "0x"} {
		wwn = strings.TrimPrefix(wwn, prefix)
	}
	return strings.ReplaceAll(wwn, "-", "")
}
