package script

import (
	"encoding/binary"
	"strings"
)

// List encodes values as one string, as $listbuild does.
func List(values ...string) string {
	var b []byte
	for _, v := range values {
		if len(v) < 253 {
			b = append(b, byte(len(v)+2), 1)
		} else {
			b = append(b, 0)
			b = binary.LittleEndian.AppendUint32(b, uint32(len(v)))
			b = append(b, 1)
		}
		b = append(b, v...)
	}
	return string(b)
}

// Unlist is the opposite of List. ok is false for anything else.
func Unlist(s string) (values []string, ok bool) {
	for s != "" {
		size, skip := int(s[0])-2, 2
		if s[0] == 0 {
			if len(s) < 6 {
				return nil, false
			}
			size, skip = int(binary.LittleEndian.Uint32([]byte(s[1:5]))), 6
		}
		if size < 0 || len(s) < skip+size {
			return nil, false
		}
		values = append(values, s[skip:skip+size])
		s = s[skip+size:]
	}
	return values, true
}

func listFunction(name string, args []string) (string, error) {
	switch name {
	case "LISTBUILD", "LB":
		return List(args...), nil
	case "LISTFROMSTRING", "LFS":
		sep := ","
		if len(args) > 1 {
			sep = args[1]
		}
		if len(args) == 0 || args[0] == "" {
			return "", nil
		}
		return List(strings.Split(args[0], sep)...), nil
	}
	if len(args) == 0 {
		return "", syntax()
	}
	values, ok := Unlist(args[0])
	if !ok {
		return "", &Error{Code: "<LIST>"}
	}
	switch name {
	case "LISTLENGTH", "LL":
		return number(float64(len(values))), nil
	case "LISTTOSTRING", "LTS":
		sep := ","
		if len(args) > 1 {
			sep = args[1]
		}
		return strings.Join(values, sep), nil
	}
	at := 1
	if len(args) > 1 {
		at = int(num(args[1]))
	}
	if at == -1 {
		at = len(values)
	}
	if at >= 1 && at <= len(values) {
		return values[at-1], nil
	}
	if strings.HasPrefix(name, "LISTG") || name == "LG" {
		if len(args) > 2 {
			return args[2], nil
		}
		return "", nil
	}
	return "", &Error{Code: "<NULL VALUE>"}
}
