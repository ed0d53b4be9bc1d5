package node

import (
	"context"
	"errors"
	"os"
	"path/filepath"

	"icm/plugins/lab/internal/command"
)

// OverlayWorks tries whether a node in dir can have an overlay over an image.
// It cannot where dir is itself on an overlay, as in many containers; nodes
// get a copy of the image then.
func OverlayWorks(ctx context.Context, dir string) (works bool, err error) {
	probe, err := os.MkdirTemp(dir, ".probe-")
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(probe)) }()
	for _, name := range []string{"lower", "upper", "work", "root"} {
		if err := os.Mkdir(filepath.Join(probe, name), 0o755); err != nil {
			return false, err
		}
	}
	// Files that are replaced are what overlays on the wrong file systems fail at.
	script := `cd "$1" && echo a >lower/f &&
		mount -t overlay icm-lab root -o lowerdir=lower,upperdir=upper,workdir=work &&
		echo b >root/f.new && mv root/f.new root/f`
	_, err = command.New("unshare", "--mount", "--propagation", "slave", "sh", "-c", script, "sh", probe).Run(ctx)
	if ctx.Err() != nil {
		return false, err
	}
	return err == nil, nil
}
