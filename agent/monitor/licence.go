package monitor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"icm/agent/iris"
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
		day, ok := expiry(string(text))
		if !ok {
			continue
		}
		key, left := filepath.Join(in.Dir, "mgr", "iris.key"), day.AddDate(0, 0, 1).Sub(v.now)
		switch {
		case left <= 0:
			v.add(CheckLicence, in.Name, wire.SeverityAlert, fmt.Sprintf("the licence key of %s expired on %s; put a new one in place of %s", in.Name, day.Format(time.DateOnly), key))
		case left <= licenceSoon:
			v.add(CheckLicence, in.Name, wire.SeverityWarn, fmt.Sprintf("the licence key of %s expires on %s; have a new one in LicenseDir before", in.Name, day.Format(time.DateOnly)))
		}
	}
	return nil
}

// expiry reads the day in the line ExpirationDate of a key, in either order that
// keys have been seen with: 2027-01-31 and 1/31/2027.
func expiry(key string) (time.Time, bool) {
	for line := range strings.Lines(key) {
		name, value, ok := strings.Cut(line, "=")
		if !ok || !strings.EqualFold(strings.TrimSpace(name), "ExpirationDate") {
			continue
		}
		for _, layout := range []string{time.DateOnly, "1/2/2006"} {
			if day, err := time.Parse(layout, strings.TrimSpace(value)); err == nil {
				return day, true
			}
		}
	}
	return time.Time{}, false
}
