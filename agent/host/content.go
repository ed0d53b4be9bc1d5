package host

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
)

// Content is what a block device holds, found out by reading only.
type Content struct {
	// Type is blkid's word: "xfs", "ext4", "LVM2_member",
	// "linux_raid_member", "crypto_LUKS", "swap"; "" when it knows none.
	Type        string
	Label, UUID string
	Table       string // kind of partition table, "gpt" or "dos"
	Partitions  int    // the kernel sees
	Several     bool   // blkid finds more than one signature and cannot choose
	Backup      string // a spare copy of something whose first copy is gone
	// NonZero is where the first byte that is not zero stands; -1 when all
	// bytes that were read are zero; 0 and meaningless when there is a signature.
	NonZero int64
	// FSSize is how many bytes the file system covers; 0 when not known.
	FSSize int64
}

// Signed reports whether a signature was found, so that the bytes need not be
// looked at to know that the device is not blank.
func (c Content) Signed() bool {
	return c.Type != "" || c.Table != "" || c.Several || c.Backup != ""
}

// Blank reports whether a device may be formatted without asking.
func (c Content) Blank() bool { return !c.Signed() && c.NonZero < 0 }

// String says what is on the device, for people.
func (c Content) String() string {
	switch {
	case c.Several:
		return "several signatures that contradict each other"
	case c.Type != "":
		return c.typeString()
	case c.Table != "":
		return fmt.Sprintf("a %s partition table with %d %s", tableName(c.Table), c.Partitions, plural(c.Partitions, "partition"))
	case c.Backup != "":
		return c.Backup
	case c.NonZero >= 0:
		return fmt.Sprintf("unknown data: the content is not zero at byte %d", c.NonZero)
	}
	return "nothing"
}

func (c Content) typeString() string {
	name := c.Type
	switch c.Type {
	case "LVM2_member", "LVM1_member":
		name = "an LVM physical volume"
	case "linux_raid_member":
		name = "a member of an md array"
	case "crypto_LUKS":
		name = "a LUKS container"
	case "swap":
		name = "swap space"
	}
	if c.Label != "" {
		name += fmt.Sprintf(" %q", c.Label)
	}
	if c.UUID != "" {
		name += " (UUID " + c.UUID + ")"
	}
	return name
}

func tableName(t string) string {
	if t == "dos" {
		return "MBR"
	}
	return strings.ToUpper(t)
}

func plural(n int, word string) string {
	if n == 1 {
		return word
	}
	return word + "s"
}

// ContentOf finds out what a device holds. Nothing is written: the device is
// opened for reading, by us and by blkid. A device with a signature is not
// read any further.
func (b Blocks) ContentOf(ctx context.Context, d Device, progress func(done, total int64)) (Content, error) {
	c, err := signature(ctx, d.Path)
	if err != nil {
		return Content{}, err
	}
	f, err := os.Open(d.Path)
	if err != nil {
		return Content{}, fmt.Errorf("cannot read %s: %v", d.Path, err)
	}
	defer f.Close()
	c.Partitions = max(c.Partitions, len(b.Partitions(d.Name)))
	if c.Type != "" {
		c.FSSize, err = fileSystemSize(f, c.Type)
		return c, err
	}
	if c.Table == "gpt" || c.Table == "dos" {
		c.Partitions = max(c.Partitions, countPartitions(f, c.Table))
	}
	if c.Signed() {
		return c, nil
	}
	if c.Backup, err = spareCopy(f, d.Size); err != nil || c.Backup != "" {
		return c, err
	}
	c.NonZero, err = FirstNonZero(ctx, d.Path, d.Size, progress)
	return c, err
}

// The statuses of blkid --probe.
const (
	blkidNothing   = 2
	blkidAmbiguous = 8
)

func signature(ctx context.Context, path string) (Content, error) {
	out, err := blkidCommand(path).Run(ctx)
	var exit *ExitError
	if errors.As(err, &exit) {
		switch exit.Exit {
		case blkidNothing:
			return Content{NonZero: -1}, nil
		case blkidAmbiguous:
			return Content{Several: true}, nil
		}
	}
	if err != nil {
		return Content{}, fmt.Errorf("cannot find out what %s holds: %w", path, err)
	}
	return parseBlkid(out.Stdout), nil
}

// blkidCommand probes the device itself; blkid without --probe would answer
// from a cache.
func blkidCommand(path string) Command {
	return Command{Path: "blkid", Args: []string{"--probe", "--output", "export", path}}
}

func parseBlkid(text string) Content {
	var c Content
	for line := range strings.Lines(text) {
		key, value, _ := strings.Cut(strings.TrimRight(line, "\n"), "=")
		switch key {
		case "TYPE":
			c.Type = value
		case "LABEL":
			c.Label = unescapeBlkid(value)
		case "UUID":
			c.UUID = strings.ToLower(value)
		case "PTTYPE":
			c.Table = value
		}
	}
	if c.Type == "" && c.Table == "" {
		c.Several = true // it found something that it has no word for
	}
	return c
}

// unescapeBlkid takes away the backslashes that the export format puts before
// what a shell would take for its own.
func unescapeBlkid(s string) string {
	var out strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) {
			i++
		}
		out.WriteByte(s[i])
	}
	return out.String()
}
