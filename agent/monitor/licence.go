package monitor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"icm/agent/iris"
	"icm/internal/licensekey"
	"icm/internal/wire"
)

// licenceSoon is how long before a key expires it is told.
const licenceSoon = 30 * 24 * time.Hour

// checkLicences reads when the keys in place expire. A key that names no day is
// not judged.
func checkLicences(_ context.Context, v *view) error {
	for _, in := range v.instances {
		text, err := os.ReadFile(iris.KeyPath(in.Dir))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		day, ok := licensekey.Expires(string(text))
		if !ok {
			continue
		}
		key, left := filepath.Join(in.Dir, "mgr", "iris.key"), licensekey.Left(day, v.now)
		switch {
		case left <= 0:
			v.add(CheckLicence, in.Name, wire.SeverityAlert, fmt.Sprintf("the licence key of %s expired on %s; put a new one in place of %s", in.Name, day.Format(time.DateOnly), key))
		case left <= licenceSoon:
			v.add(CheckLicence, in.Name, wire.SeverityWarn, fmt.Sprintf("the licence key of %s expires on %s; have a new one in LicenseDir before", in.Name, day.Format(time.DateOnly)))
		}
	}
	return nil
}
