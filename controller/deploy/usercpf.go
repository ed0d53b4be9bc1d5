package deploy

import (
	"fmt"
	"os"
	"strings"

	"icm/controller/spec"
	"icm/internal/cpf"
)

// userCPF adds the settings of the operator's own CPF file, which stand above
// icm's. What cannot be read back from iris.cpf, such as actions, is refused:
// nobody could say afterwards whether it was done.
func (j *Job) userCPF(f spec.Fields, settings map[string]string) error {
	name := f.Get("UserCPF")
	if name == "" {
		return nil
	}
	data, err := os.ReadFile(j.path(name))
	if err != nil {
		return fmt.Errorf("cannot read UserCPF: %v", err)
	}
	file := cpf.Parse(data)
	for _, section := range file.Sections() {
		switch {
		case strings.EqualFold(section, "Actions"):
			return refuse(fmt.Sprintf("%s has a section [Actions], which this icm does not pass on yet", name), "leave it out, and run the actions with icm session")
		case strings.Contains(section, "."):
			return refuse(fmt.Sprintf("%s has a section [%s], which this icm does not pass on yet", name, section), "leave it out, and set it with icm session")
		}
		for _, key := range file.Keys(section) {
			value, _ := file.Get(section, key)
			settings[section+"."+key] = value
		}
	}
	return nil
}
