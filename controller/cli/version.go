package cli

import (
	"context"
	"flag"
	"fmt"
	"runtime"
)

var versionCommand = command{
	name:    "version",
	summary: "show which icm this is",
	help:    "Shows the build of icm, which is also the build of the agents it carries.",
	setup: func(fs *flag.FlagSet) runFunc {
		var js jsonFlag
		fs.Var(&js, "json", "write the answer as JSON to response.json, or with -json=- to standard output")
		return func(_ context.Context, env *Env, _ []string) error {
			if !js.quiet() {
				fmt.Fprintf(env.Out, "icm version %s (%s, %s/%s)\n", env.Build, runtime.Version(), runtime.GOOS, runtime.GOARCH)
			}
			return js.write(env, map[string]string{"version": env.Build, "go": runtime.Version(), "platform": runtime.GOOS + "/" + runtime.GOARCH})
		}
	},
}
