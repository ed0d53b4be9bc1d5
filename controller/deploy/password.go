package deploy

import (
	"fmt"

	"icm/internal/irishash"
	"icm/internal/secret"
)

// secrets gathers what the tasks of the plan ask for by name, before anything
// is touched.
func (j *Job) secrets(pr *prepared) (map[string]map[string][]byte, error) {
	out := map[string]map[string][]byte{}
	var password secret.Secret
	for _, st := range pr.plan.Stages {
		for _, ch := range st.Changes {
			names := secretNames(ch)
			if len(names) == 0 {
				continue
			}
			if out[ch.Node] == nil {
				out[ch.Node] = map[string][]byte{}
			}
			for _, name := range names {
				value, err := j.secretValue(pr.site, ch.Node, name, &password)
				if err != nil {
					return nil, err
				}
				out[ch.Node][name] = value
			}
		}
	}
	return out, nil
}

func (j *Job) secretValue(s *site, node, name string, password *secret.Secret) ([]byte, error) {
	switch name {
	case secretLicense:
		return s.licenses[node], nil
	case secretTLSCA, secretTLSCertificate, secretTLSKey:
		return s.tls.files[name], nil
	case secretKitAccess:
		return j.kitCredentials(s, node)
	case secretPasswordHash, secretPassword:
		if err := j.findPassword(s, password); err != nil {
			return nil, err
		}
		if name == secretPassword {
			return []byte(password.Reveal()), nil
		}
		hash, err := irishash.Hash(*password)
		return []byte(hash), err
	default:
		return nil, fmt.Errorf("nobody knows the secret %q", name)
	}
}

// findPassword takes the password from option, file, environment, field or
// prompt, in this order.
func (j *Job) findPassword(s *site, password *secret.Secret) error {
	if !password.Empty() {
		return nil
	}
	if *password = j.Password; !password.Empty() {
		return nil
	}
	if *password = s.spec.Global.Secret("ISCPassword"); !password.Empty() {
		return nil
	}
	given, asked, err := j.AskPassword()
	if err != nil {
		return err
	}
	if !asked || given.Empty() {
		return refuse("no password for the instances was given", "use -iscPasswordFile FILE, the variable ICM_ISCPASSWORD, or the field ISCPassword")
	}
	*password = given
	return nil
}
