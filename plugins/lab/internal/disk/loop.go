package disk

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"icm/plugins/lab/internal/await"
)

// Control is the device through which loop devices are made.
const Control = "/dev/loop-control"

// detachLimit is how long the last user of a device may take to go away: the
// kernel frees the mounts of a killed container after its processes.
const detachLimit = 20 * time.Second

// Attachment is a loop device and the file behind it.
type Attachment struct{ Device, File string }

// Attached lists the attachments whose file is path or lies below it.
func Attached(path string) ([]Attachment, error) {
	names, err := filepath.Glob("/sys/block/loop*/loop/backing_file")
	if err != nil {
		return nil, err
	}
	var found []Attachment
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			continue // detached since the listing
		}
		file := strings.TrimSuffix(strings.TrimSpace(string(text)), " (deleted)")
		if file == path || strings.HasPrefix(file, path+"/") {
			device := "/dev/" + strings.Split(name, "/")[3]
			found = append(found, Attachment{device, file})
		}
	}
	return found, nil
}

// Attach returns a loop device over file, the one it has already if there is
// one.
func Attach(ctx context.Context, file string) (string, error) {
	have, err := Attached(file)
	if err != nil || len(have) > 0 {
		if len(have) > 0 {
			return have[0].Device, nil
		}
		return "", err
	}
	backing, err := os.OpenFile(file, os.O_RDWR, 0)
	if err != nil {
		return "", err
	}
	defer backing.Close()
	for {
		device, err := configureFree(backing)
		if !errors.Is(err, unix.EBUSY) {
			return device, err
		}
		// Somebody else took the free device between the two calls.
		if ctx.Err() != nil {
			return "", ctx.Err()
		}
	}
}

func configureFree(backing *os.File) (string, error) {
	control, err := os.OpenFile(Control, os.O_RDWR, 0)
	if err != nil {
		return "", err
	}
	defer control.Close()
	number, err := unix.IoctlRetInt(int(control.Fd()), unix.LOOP_CTL_GET_FREE)
	if err != nil {
		return "", fmt.Errorf("cannot get a free loop device: %w", err)
	}
	device := fmt.Sprintf("/dev/loop%d", number)
	f, err := os.OpenFile(device, os.O_RDWR, 0)
	if err != nil {
		return "", err
	}
	defer f.Close()
	config := unix.LoopConfig{Fd: uint32(backing.Fd())}
	copy(config.Info.File_name[:unix.LO_NAME_SIZE-1], backing.Name())
	if err := unix.IoctlLoopConfigure(int(f.Fd()), &config); err != nil {
		return "", fmt.Errorf("cannot attach %s to %s: %w", backing.Name(), device, err)
	}
	// Without a second copy in the page cache, reading the holes of a sparse
	// file costs next to nothing. Not every file system can do it.
	_ = unix.IoctlSetInt(int(f.Fd()), unix.LOOP_SET_DIRECT_IO, 1)
	return device, nil
}

// Refresh makes a device as large as its file has become.
func Refresh(device string) error {
	f, err := os.OpenFile(device, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := unix.IoctlSetInt(int(f.Fd()), unix.LOOP_SET_CAPACITY, 0); err != nil {
		return fmt.Errorf("cannot grow %s: %w", device, err)
	}
	return nil
}

// DetachAll detaches every device whose file is path or lies below it, and
// waits until they are gone.
func DetachAll(ctx context.Context, path string) error {
	return await.Until(ctx, "the loop devices of "+path+" to go", detachLimit, func() (bool, string, error) {
		left, err := Attached(path)
		for _, a := range left {
			if err := detach(a); err != nil {
				return false, "", err
			}
		}
		return len(left) == 0, fmt.Sprint(left), err
	})
}

func detach(a Attachment) error {
	f, err := os.OpenFile(a.Device, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	// While it is open its number is not given away: look whose it is now.
	if still, err := Attached(a.File); err != nil || !slices.Contains(still, a) {
		return err
	}
	// ENXIO: it went by itself. EBUSY: still in use, the caller asks again.
	err = unix.IoctlSetInt(int(f.Fd()), unix.LOOP_CLR_FD, 0)
	if err == nil || errors.Is(err, unix.ENXIO) || errors.Is(err, unix.EBUSY) {
		return nil
	}
	return fmt.Errorf("cannot detach %s: %w", a.Device, err)
}
