package tasks

// volumeCase is what was found where a volume is wanted. Each is a row of the
// table "Volumes" in docs/safety.md; a test compares the two.
type volumeCase string

const (
	caseDirectory  volumeCase = "no device is asked for: `null`"
	caseMissing    volumeCase = "there is no such device"
	caseMoved      volumeCase = "another device than the plan was made for, or other content than the plan showed"
	caseReadOnly   volumeCase = "a device that is read-only or has no size"
	caseInUse      volumeCase = "root disk, swap in use, held by LVM, md or dm, a partition of it in use, or opened exclusively"
	caseMounted    volumeCase = "a device that is mounted, but is not our volume in its place"
	casePoint      volumeCase = "a mount point that is a link, holds files, has another mount, or is in fstab or in a foreign unit"
	caseInPlace    volumeCase = "our label, UUID and file system, mounted in its place"
	caseOurs       volumeCase = "our label, UUID and file system"
	caseHalfMade   volumeCase = "a file system that this very task began to make"
	caseBlank      volumeCase = "blank: no signature, no spare copy, and every byte read is zero"
	caseLabelOnly  volumeCase = "our label, but another UUID or file system"
	caseForeign    volumeCase = "any other file system, LVM, md, LUKS, swap space, a partition table, or several at once"
	caseSpareCopy  volumeCase = "no signature, but the spare copy of one"
	caseUnknown    volumeCase = "no signature, but a byte that is not zero"
	caseUnreadable volumeCase = "a device that cannot be read"
)

// volumeAction is what is done about it.
type volumeAction string

const (
	actDirectory volumeAction = "make a directory"
	actKeep      volumeAction = "keep"
	actMount     volumeAction = "mount"
	actFormat    volumeAction = "format, mount"
	actErase     volumeAction = "erase, format, mount"
	actRefuse    volumeAction = "refuse"
)

// decideVolume is the table. What is not in it is refused.
func decideVolume(c volumeCase, wipe bool) volumeAction {
	switch c {
	case caseDirectory:
		return actDirectory
	case caseInPlace:
		return actKeep
	case caseOurs:
		return actMount
	case caseBlank:
		return actFormat
	case caseHalfMade:
		return actErase
	case caseLabelOnly, caseForeign, caseSpareCopy, caseUnknown:
		if wipe {
			return actErase
		}
	}
	return actRefuse
}
