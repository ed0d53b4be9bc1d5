package cli

import (
	"context"
	"flag"

	"icm/controller/deploy"
)

var scpCommand = command{
	name:    "scp",
	summary: "copy a file or directory to the nodes",
	help: `Copies -localPath to every selected node. A remote directory must end in a slash, or it is taken for a file. When both are directories the contents of the local one are copied; without a slash at the end of the local path the directory itself is copied.
The default remote path is the user's home directory.`,
	setup: func(fs *flag.FlagSet) runFunc {
		var o common
		var local, remote string
		o.register(fs)
		o.selectors(fs)
		fs.StringVar(&local, "localPath", "", "local file or directory `path`")
		fs.StringVar(&remote, "remotePath", "", "remote file or directory `path` (default /home/SSHUser/)")
		fs.StringVar(&local, "localFile", "", "the same as -localPath")
		fs.StringVar(&remote, "remoteFile", "", "the same as -remotePath")
		return func(ctx context.Context, env *Env, _ []string) error {
			if local == "" {
				return &usageError{"icm scp needs -localPath", "icm scp -localPath FILE -remotePath /tmp/"}
			}
			return o.work(ctx, env, "scp", func(ctx context.Context, job *deploy.Job, con *console) error {
				if err := job.Copy(ctx, local, remote); err != nil {
					return err
				}
				return o.json.write(env, nil)
			})
		}
	},
}
