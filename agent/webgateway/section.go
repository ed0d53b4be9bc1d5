package webgateway

import (
	"fmt"
	"strings"
)

// Sections of Apache's configuration stand between marks in the form of the
// kit's own installer, which writes one called ApacheCSP, or ApacheCSP with the
// name of an instance behind it. Ours is called icm.
const (
	ownSection = "icm"
	kitSection = "ApacheCSP"
)

func beginMark(name string) string { return "#### BEGIN-" + name + "-SECTION" }
func endMark(name string) string   { return "#### END-" + name + "-SECTION" }

// Section returns our section of Apache's configuration, without its marks;
// "" when there is none.
func Section(text string) string {
	_, ours, _, err := cut(text, ownSection)
	if err != nil {
		return ""
	}
	return ours
}

// PutSection replaces our section by body, or adds it at the end. An empty body
// takes it away.
func PutSection(text, body string) (string, error) {
	before, _, after, err := cut(text, ownSection)
	if err != nil {
		return "", err
	}
	if body == "" {
		return join(before, after), nil
	}
	ours := beginMark(ownSection) + " ####\n" + body + endMark(ownSection) + " ####\n"
	if after == "" {
		before = strings.TrimRight(before, "\n") + "\n\n"
	}
	return before + ours + after, nil
}

// CutSections takes our section and those of the kit's installer away.
func CutSections(text string) (string, error) {
	for _, name := range []string{ownSection, kitSection} {
		for strings.Contains(text, beginMark(name)) {
			before, _, after, err := cut(text, name)
			if err != nil {
				return "", err
			}
			text = join(before, after)
		}
	}
	return text, nil
}

// join closes the gap that a section leaves.
func join(before, after string) string {
	if before = strings.TrimRight(before, "\n"); before != "" {
		before += "\n"
	}
	if after = strings.TrimLeft(after, "\n"); after != "" && before != "" {
		before += "\n"
	}
	return before + after
}

// cut parts a text at the first section of a name. Without one, all of it is
// before.
func cut(text, name string) (before, section, after string, err error) {
	from := strings.Index(text, beginMark(name))
	if from < 0 {
		return text, "", "", nil
	}
	body := strings.IndexByte(text[from:], '\n')
	to := strings.Index(text[from:], endMark(name))
	if body < 0 || to < body {
		return "", "", "", fmt.Errorf("cannot edit the configuration of Apache: it has the line %q and no end to that", beginMark(name))
	}
	section = text[from+body+1 : from+to]
	if end := strings.IndexByte(text[from+to:], '\n'); end >= 0 {
		after = text[from+to+end+1:]
	}
	return text[:from], section, after, nil
}
