package check

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"icm/agent/iris"
	"icm/internal/licensekey"
	"icm/internal/wire"
)

// checkLicence looks at the key in the directory that a kit is going to be
// installed in: with an expired one the installer fails, when the instance has
// been stopped already. What it says of the key's type is not judged: the
// installer does not.
func checkLicence(_ context.Context, n node) []wire.Finding {
	if n.req.InstallDir == "" {
		return nil
	}
	path := iris.KeyPath(n.req.InstallDir)
	text, err := os.ReadFile(filepath.Join(n.Root, path))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return finding(fail, "", "cannot read the licence key that is there: %v", err)
	}
	day, known := licensekey.Expires(string(text))
	if known && licensekey.Left(day, n.Now()) <= 0 {
		return finding(fail, "put a key that is good in its place, or take it away", "%s expired on %s, and the installer takes no expired key", path, day.Format(time.DateOnly))
	}
	return finding(pass, "", "the licence key that is there has not expired")
}
