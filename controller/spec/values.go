package spec

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"icm/internal/kitname"
)

// check returns the value in its proper spelling. want says what is expected
// when the value is wrong, and hint is "" or more than that. The value itself
// is shown by the caller, unless the field is secret.
func (f *Field) check(value string) (proper, want, hint string) {
	if strings.ContainsFunc(value, unicode.IsControl) {
		return value, "no line breaks or other control characters", ""
	}
	switch f.Type {
	case Enum:
		return f.checkEnum(value)
	case Switch:
		return checkWord(value, []string{"auto", "true", "false"})
	case Bool:
		_, want, hint = checkWord(value, []string{"true", "false"})
		return value, want, hint // True stays True
	case EnumList, IntList:
		return value, f.checkElements(value), ""
	case KitAddress:
		if _, err := kitname.ParseURL(value); err != nil {
			return value, "the address of a kit", err.Error()
		}
		return value, "", ""
	case Path, Text, TextList:
		return value, "", ""
	case Int, Port, Size:
		return value, f.checkNumber(value), ""
	default:
		if !wellFormed(f.Type, value) {
			return value, expected[f.Type], ""
		}
		return value, "", ""
	}
}

func (f *Field) checkEnum(value string) (proper, want, hint string) {
	if f.Name == "Role" {
		switch strings.ToUpper(value) {
		case "LB":
			hint = `remove the entry: a load balancer is made for an entry of AM, WS, VM or CN with "LoadBalancer": "true"`
		case "SAM", "BH":
			hint = "this role of later ICM versions is not supported: icm health watches the nodes, and BastionHost names a jump host"
		}
	}
	proper, want, similar := checkWord(value, f.Values)
	if hint == "" {
		hint = similar
	}
	return proper, want, hint
}

func checkWord(value string, words []string) (proper, want, hint string) {
	for _, w := range words {
		if strings.EqualFold(w, value) {
			return w, "", ""
		}
	}
	return value, "one of " + strings.Join(words, ", "), ""
}

// Limits are the smallest and the largest number that the field takes.
func (f *Field) Limits() (low, high int) {
	switch {
	case f.Type == Port:
		return 1, 65535
	case f.Type == Size:
		return 1, 1 << 20
	case f.Min == 0 && f.Max == 0:
		return 0, 1 << 40
	default:
		return f.Min, f.Max
	}
}

func (f *Field) checkNumber(value string) string {
	low, high := f.Limits()
	if n, err := strconv.Atoi(value); err == nil && n >= low && n <= high {
		return ""
	}
	if f.Max == 0 && f.Type == Int {
		return "a whole number"
	}
	return fmt.Sprintf("a whole number from %d to %d", low, high)
}

func (f *Field) checkElements(value string) string {
	for _, e := range splitList(value) {
		if f.Type == IntList {
			if n, err := strconv.Atoi(e); err != nil || n < 0 {
				return "whole numbers with commas between them, such as " + f.Example
			}
		} else if !slices.Contains(f.Values, strings.ToLower(e)) {
			return fmt.Sprintf("words with commas between them, each one of %s", strings.Join(f.Values, ", "))
		}
	}
	return ""
}
