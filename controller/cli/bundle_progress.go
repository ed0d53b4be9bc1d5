package cli

import "icm/controller/deploy"

// progress shows on a terminal how far the work on a bundle is. total is in
// bytes, 0 when nobody knows it. end takes the line away.
func (o *bundleOptions) progress(env *Env, file, doing string, total int64) (moved func(done int64), end func()) {
	if !env.Terminal || o.json.quiet() {
		return nil, func() {}
	}
	live := &liveLines{w: env.Out, size: env.Size}
	step := max(total/100, 1<<20) // drawing costs more than reading
	next := int64(0)
	return func(done int64) {
		if done < next {
			return
		}
		next = done + step
		ev := deploy.Event{Subject: file, Text: doing}
		ev.Progress.Done, ev.Progress.Total, ev.Progress.Unit = done, total, "bytes"
		live.move(ev)
	}, live.clear
}
