package sim

import (
	"context"
	"slices"
	"strings"

	"icm/internal/wire"
)

// ByHand puts an instance on the machine that nobody installed by icm, and
// starts it. A second one is only surveyed.
func (m *Machine) ByHand(in wire.Surveyed) {
	m.set(func() {
		if len(m.byHand) == 0 {
			m.version, m.dir, m.running, m.data = in.Instance.Version, in.Instance.Dir, true, true
			for key, value := range in.Settings {
				m.cpf[key] = strings.TrimSuffix(value, "/") // IRIS does not mind either
			}
		}
		m.byHand = append(m.byHand, in)
	})
}

func (m *Machine) survey(context.Context, wire.SurveyRequest) (reply wire.SurveyReply, err error) {
	m.set(func() { reply.Instances = slices.Clone(m.byHand) })
	return reply, nil
}
