package deploy

// Graph draws the deployment that the input files describe, as a Mermaid
// flowchart. No node is asked.
func (j *Job) Graph() (string, error) {
	in, err := j.read()
	if err != nil {
		return "", err
	}
	return in.topo.Graph(), nil
}
