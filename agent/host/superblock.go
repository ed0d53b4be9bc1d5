package host

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// readAt reads n bytes; what lies beyond the end is zero.
func readAt(r io.ReaderAt, at int64, n int) ([]byte, error) {
	buf := make([]byte, n)
	if at < 0 {
		return buf, nil
	}
	if _, err := r.ReadAt(buf, at); err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("cannot read at byte %d: %w", at, err)
	}
	return buf, nil
}

// fileSystemSize reads from the super block how many bytes a file system of
// ours covers; 0 for other kinds.
func fileSystemSize(r io.ReaderAt, fsType string) (int64, error) {
	switch fsType {
	case "ext2", "ext3", "ext4":
		sb, err := readAt(r, 1024, 1024)
		if err != nil {
			return 0, err
		}
		blocks := int64(binary.LittleEndian.Uint32(sb[4:]))
		const incompat64 = 0x80
		if binary.LittleEndian.Uint32(sb[96:])&incompat64 != 0 {
			blocks |= int64(binary.LittleEndian.Uint32(sb[336:])) << 32
		}
		return blocks * (1024 << (binary.LittleEndian.Uint32(sb[24:]) & 7)), nil
	case "xfs":
		sb, err := readAt(r, 0, 512)
		return int64(binary.BigEndian.Uint64(sb[8:])) * int64(binary.BigEndian.Uint32(sb[4:])), err
	case "btrfs":
		sb, err := readAt(r, 65536, 4096)
		return int64(binary.LittleEndian.Uint64(sb[112:])), err
	}
	return 0, nil
}

// spare is a place where a second copy of some structure may stand.
type spare struct {
	at    int64
	skip  int // the magic's place in the structure
	magic string
	what  string
}

// spareCopy looks for copies that survive when the beginning of a device is
// erased, so that a refusal can say what was there. blkid looks for some of
// them, but only where the first copy is in place.
func spareCopy(r io.ReaderAt, size int64) (string, error) {
	for _, s := range spares(size) {
		buf, err := readAt(r, s.at, s.skip+len(s.magic))
		if err != nil {
			return "", err
		}
		if s.at >= 0 && bytes.Equal(buf[s.skip:], []byte(s.magic)) {
			return fmt.Sprintf("%s at byte %d", s.what, s.at), nil
		}
	}
	return "", nil
}

func spares(size int64) []spare {
	const md = "\xfc\x4e\x2b\xa9"
	list := []spare{
		{size - 512, 0, "EFI PART", "the backup of a GPT partition table"},
		{size - 4096, 0, "EFI PART", "the backup of a GPT partition table"},
		{(size/512 - 16) &^ 7 * 512, 0, md, "the super block of an md array"},
		{size&^65535 - 65536, 0, md, "the super block of an md array"},
		{64 << 20, 64, "_BHRfS_M", "the backup super block of a btrfs file system"},
		{256 << 30, 64, "_BHRfS_M", "the backup super block of a btrfs file system"},
	}
	return append(append(list, extSpares(size)...), xfsSpares(size)...)
}

// extSpares are the block groups 1, 3, 5, 7 and 9 for each block size; a group
// is as many blocks as a block has bits.
func extSpares(size int64) []spare {
	var list []spare
	for _, block := range []int64{1024, 2048, 4096} {
		for _, group := range []int64{1, 3, 5, 7, 9} {
			at := group * block * 8 * block
			if block == 1024 {
				at += 1024 // the first block is the boot block
			}
			if at < size {
				list = append(list, spare{at, 56, "\x53\xef", "the backup super block of an ext file system"})
			}
		}
	}
	return list
}

// xfsSpares are the starts of the second allocation group for the counts that
// mkfs.xfs chooses by itself.
func xfsSpares(size int64) []spare {
	var list []spare
	blocks := size / 4096
	for count := int64(2); count <= 64; count++ {
		for _, start := range []int64{blocks / count, (blocks + count - 1) / count} {
			list = append(list, spare{start * 4096, 0, "XFSB", "the backup super block of an xfs file system"})
		}
	}
	return append(list, spare{1 << 40, 0, "XFSB", "the backup super block of an xfs file system"})
}

// countPartitions counts the entries of a partition table, for a refusal's
// text: in a container the kernel may show none.
func countPartitions(r io.ReaderAt, table string) int {
	n := 0
	if table == "dos" {
		mbr, err := readAt(r, 446, 64)
		for i := 0; err == nil && i < 4; i++ {
			if mbr[i*16+4] != 0 {
				n++
			}
		}
		return n
	}
	for _, sector := range []int64{512, 4096} {
		head, err := readAt(r, sector, 512)
		if err != nil || string(head[:8]) != "EFI PART" {
			continue
		}
		const entries, most = 128, 128
		list, err := readAt(r, 2*sector, entries*most)
		for i := 0; err == nil && i < most; i++ {
			if !bytes.Equal(list[i*entries:i*entries+16], make([]byte, 16)) {
				n++
			}
		}
	}
	return n
}
