package bundle

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"icm/controller/signing"
	"icm/internal/atomicfile"
	"icm/internal/hint"
)

// Store is a directory of bundles:
//
//	keys/ID.pub                     pinned public keys
//	seen.json                       the newest bundle of each name
//	bundles/DIGEST/manifest.json    and manifest.json.minisig
//	chunks/ab/SHA256                or with .zst behind
//	lock                            shared by those who read, exclusive for rm and gc
//	seen.lock                       exclusive while seen.json is written
type Store struct{ dir string }

// OpenStore opens a store. Its directory is made when something is put there.
func OpenStore(dir string) *Store { return &Store{dir: dir} }

// Dir is the store's directory.
func (s *Store) Dir() string { return s.dir }

func (s *Store) bundleDir(digest string) string { return filepath.Join(s.dir, "bundles", digest) }
func (s *Store) chunkPath(sum string) string    { return filepath.Join(s.dir, "chunks", sum[:2], sum) }

// lock keeps others from removing what is read, or from reading what is
// removed.
func (s *Store) lock(how int) (release func() error, err error) {
	f, err := s.lockFile("lock")
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), how|unix.LOCK_NB); err != nil {
		return nil, errors.Join(hint.New(fmt.Errorf("the bundle store %s is in use by another icm", s.dir), "wait until that icm has ended"), f.Close())
	}
	return f.Close, nil
}

func (s *Store) lockFile(name string) (*os.File, error) {
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return nil, err
	}
	return os.OpenFile(filepath.Join(s.dir, name), os.O_CREATE|os.O_RDWR, 0o600)
}

// Pin makes a public key one whose bundles are taken.
func (s *Store) Pin(key signing.Public) error {
	dir := filepath.Join(s.dir, "keys")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("cannot pin the key: %w", err)
	}
	if err := atomicfile.Write(filepath.Join(dir, key.ID()+".pub"), key.File(), 0o644); err != nil {
		return fmt.Errorf("cannot pin the key: %w", err)
	}
	return nil
}

// Unpin takes a key back. Bundles that it signed cannot be used any more.
func (s *Store) Unpin(id string) error {
	if len(id) != 16 || !filepath.IsLocal(id) || strings.ContainsRune(id, filepath.Separator) {
		return fmt.Errorf("%q is no id of a key", id)
	}
	err := os.Remove(filepath.Join(s.dir, "keys", strings.ToUpper(id)+".pub"))
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("no key %s is pinned", id)
	}
	return err
}

// Keys are the pinned keys.
func (s *Store) Keys() ([]signing.Public, error) {
	files, err := filepath.Glob(filepath.Join(s.dir, "keys", "*.pub"))
	if err != nil {
		return nil, err
	}
	var out []signing.Public
	for _, f := range files {
		k, err := signing.LoadPublic(f)
		if err != nil {
			return nil, err
		}
		out = append(out, k)
	}
	return out, nil
}

// seenBundle is the newest bundle of a name that was used here.
type seenBundle struct {
	Issued string `json:"issued"`
	Digest string `json:"digest"`
}

func (s *Store) seen() (map[string]seenBundle, error) {
	out := map[string]seenBundle{}
	data, err := os.ReadFile(filepath.Join(s.dir, "seen.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return out, nil
	}
	if err == nil {
		err = json.Unmarshal(data, &out)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read which bundles were seen: %w", err)
	}
	return out, nil
}

// See refuses a bundle that is older than the newest of its name, unless older
// ones are allowed, and remembers one that is newer.
func (s *Store) See(b *Bundle, allowOlder bool) (err error) {
	f, err := s.lockFile("seen.lock")
	if err != nil {
		return fmt.Errorf("cannot remember the bundle: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX); err != nil { // for a moment: two may load at once
		return fmt.Errorf("cannot remember the bundle: %w", err)
	}
	all, err := s.seen()
	if err != nil || older(b, all) && allowOlder {
		return err
	}
	was, name := all[b.Manifest.Name], b.Manifest.Name
	switch {
	case older(b, all):
		return olderError(b, was)
	case was.Issued == b.Manifest.Issued:
		return nil
	}
	all[name] = seenBundle{b.Manifest.Issued, b.Digest}
	data, err := json.MarshalIndent(all, "", " ")
	if err == nil {
		err = atomicfile.Write(filepath.Join(s.dir, "seen.json"), append(data, '\n'), 0o600)
	}
	if err != nil {
		return fmt.Errorf("cannot remember the bundle: %w", err)
	}
	return nil
}

// older reports whether a newer bundle of the same name was used here.
func older(b *Bundle, seen map[string]seenBundle) bool {
	return seen[b.Manifest.Name].Issued > b.Manifest.Issued // both are RFC 3339 in UTC
}

func olderError(b *Bundle, newest seenBundle) error {
	return hint.New(fmt.Errorf("bundle %s of %s is older than that of %s, which was used here before", b.Manifest.Name, b.Manifest.Issued, newest.Issued), "-allowOlder takes it all the same")
}

// refuseOlder refuses what See would refuse, and remembers nothing.
func (s *Store) refuseOlder(b *Bundle, allow bool) error {
	seen, err := s.seen()
	if err == nil && older(b, seen) && !allow {
		err = olderError(b, seen[b.Manifest.Name])
	}
	return err
}

// has implements place.
func (s *Store) has(c Chunk) bool {
	_, packedErr := os.Stat(s.chunkPath(c.SHA256) + memberPacked)
	_, plainErr := os.Stat(s.chunkPath(c.SHA256))
	return packedErr == nil || plainErr == nil
}

// find implements place.
func (s *Store) find(c Chunk) (packed, error) {
	for _, compressed := range []bool{true, false} {
		name := s.chunkPath(c.SHA256)
		if compressed {
			name += memberPacked
		}
		f, err := os.Open(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return packed{}, err
		}
		data, err := io.ReadAll(io.LimitReader(f, maxChunk+1))
		if err := errors.Join(err, f.Close()); err != nil {
			return packed{}, err
		}
		return packed{data, compressed}, nil
	}
	return packed{}, errNoChunk
}

// List returns the bundles of the store, newest last. Those that cannot be used
// are in the error; the others are returned all the same.
func (s *Store) List() ([]*Bundle, error) {
	keys, err := s.Keys()
	if err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(filepath.Join(s.dir, "bundles"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var out []*Bundle
	var errs []error
	for _, e := range entries {
		if !sumPattern.MatchString(e.Name()) {
			continue
		}
		b, err := s.read(e.Name(), keys)
		if errors.Is(err, fs.ErrNotExist) {
			continue // whoever loaded or removed it was killed in the middle
		}
		if err != nil {
			errs = append(errs, hint.New(fmt.Errorf("bundle %s in the store: %w", e.Name()[:16], err), "icm bundle rm "+e.Name()[:16]+" takes it out"))
			continue
		}
		out = append(out, b)
	}
	slices.SortFunc(out, func(a, b *Bundle) int { return strings.Compare(a.Manifest.Issued+a.Digest, b.Manifest.Issued+b.Digest) })
	return out, errors.Join(errs...)
}

func (s *Store) read(digest string, keys []signing.Public) (*Bundle, error) {
	dir := s.bundleDir(digest)
	signature, err := os.ReadFile(filepath.Join(dir, memberSignature))
	if err != nil {
		return nil, err
	}
	text, err := os.ReadFile(filepath.Join(dir, memberManifest))
	if err != nil {
		return nil, err
	}
	b, err := verified(signature, text, keys)
	if err != nil {
		return nil, err
	}
	b.places = places{s}
	return b, nil
}

// Get opens a bundle of the store by its name, the newest of that name, or by
// the beginning of its digest. It must be closed.
func (s *Store) Get(name string) (*Bundle, error) {
	all, err := s.List()
	for _, b := range slices.Backward(all) {
		if b.Manifest.Name == name || len(name) >= 6 && strings.HasPrefix(b.Digest, name) {
			release, err := s.lock(unix.LOCK_SH)
			b.close = release
			return b, err
		}
	}
	return nil, errors.Join(err, hint.New(fmt.Errorf("there is no bundle %s in the store", name), "icm bundle ls shows what is there; icm bundle load FILE brings one"))
}

// Digest finds the bundle that rm is to take out: by name, or by the beginning
// of its digest, also where it cannot be used any more.
func (s *Store) Digest(name string) (string, error) {
	b, err := s.Get(name)
	if err == nil {
		return b.Digest, b.Close()
	}
	found, globErr := filepath.Glob(filepath.Join(s.dir, "bundles", "*"))
	if globErr != nil || len(name) < 6 {
		return "", errors.Join(err, globErr)
	}
	for _, f := range found {
		if digest := filepath.Base(f); strings.HasPrefix(digest, name) && sumPattern.MatchString(digest) {
			return digest, nil
		}
	}
	return "", err
}

// Load reads a bundle from its beginning to its end into the store. Chunks that
// are there already are not written again. When it returns without error the
// bundle is whole, and on the disk.
func (s *Store) Load(ctx context.Context, r io.Reader, keys []signing.Public, allowOlder bool, moved func(done int64)) (*Bundle, error) {
	release, err := s.lock(unix.LOCK_SH)
	if err != nil {
		return nil, err
	}
	b, err := s.load(ctx, r, keys, allowOlder, moved)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("cannot load the bundle: %w", err), release())
	}
	b.close = release
	return b, nil
}

func (s *Store) load(ctx context.Context, r io.Reader, keys []signing.Public, allowOlder bool, moved func(done int64)) (*Bundle, error) {
	m := newMembers(struct{ io.Reader }{r})
	signature, text, err := m.head()
	if err != nil {
		return nil, err
	}
	b, err := verified(signature, text, keys)
	if err != nil {
		return nil, err
	}
	if err := s.refuseOlder(b, allowOlder); err != nil {
		return nil, err
	}
	want := newOrder(b.Manifest)
	for {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		name, size, err := m.next()
		if err != nil {
			return nil, err
		}
		if name == "" {
			break
		}
		c, compressed, err := want.next(name, size)
		if err != nil {
			return nil, err
		}
		data, err := m.read(name, size, maxChunk)
		if err == nil {
			err = s.put(c, packed{data, compressed})
		}
		if err != nil {
			return nil, err
		}
		if moved != nil {
			moved(m.in.n)
		}
	}
	b.places = places{s}
	if err := b.Check(ctx, nil); err != nil {
		return nil, err
	}
	return b, errors.Join(s.record(b), s.See(b, allowOlder))
}

// put stores a chunk that came, if it is what it says.
func (s *Store) put(c Chunk, p packed) error {
	if _, err := p.unpack(c); err != nil {
		return hint.New(fmt.Errorf("the bundle is %w on its way: %v", ErrDamaged, err), "copy it again")
	}
	if have, err := s.find(c); err == nil {
		if _, err := have.unpack(c); err == nil {
			return nil
		}
		if err := errors.Join(gone(os.Remove(s.chunkPath(c.SHA256))), gone(os.Remove(s.chunkPath(c.SHA256)+memberPacked))); err != nil {
			return err
		}
	}
	path := s.chunkPath(c.SHA256)
	if p.compressed {
		path += memberPacked
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".new-*")
	if err != nil {
		return err
	}
	_, err = f.Write(p.data)
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, gone(os.Remove(f.Name())))
	}
	return nil
}

func gone(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// record makes a bundle one of the store, once all its chunks are on the disk.
func (s *Store) record(b *Bundle) error {
	d, err := os.Open(s.dir)
	if err != nil {
		return err
	}
	if err := errors.Join(unix.Syncfs(int(d.Fd())), d.Close()); err != nil {
		return fmt.Errorf("cannot write the bundle to the disk: %w", err)
	}
	dir := s.bundleDir(b.Digest)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	if err := atomicfile.Write(filepath.Join(dir, memberManifest), b.text, 0o600); err != nil {
		return err
	}
	return atomicfile.Write(filepath.Join(dir, memberSignature), b.signature, 0o600)
}

// Remove takes the bundle with that digest out of the store, and the chunks that
// no other needs. The bundle must not be open.
func (s *Store) Remove(ctx context.Context, digest string) (freed int64, err error) {
	release, err := s.lock(unix.LOCK_EX)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, release()) }()
	if err := os.RemoveAll(s.bundleDir(digest)); err != nil {
		return 0, err
	}
	return s.gc(ctx)
}

// GC deletes chunks that no bundle of the store needs.
func (s *Store) GC(ctx context.Context) (freed int64, err error) {
	release, err := s.lock(unix.LOCK_EX)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, release()) }()
	return s.gc(ctx)
}

func (s *Store) gc(ctx context.Context) (freed int64, err error) {
	all, err := s.List()
	if err != nil {
		return 0, fmt.Errorf("nothing was deleted, because it is not known what is needed: %w", err)
	}
	need := map[string]bool{}
	for _, b := range all {
		for _, c := range b.Manifest.chunks() {
			need[c.SHA256] = true
		}
	}
	err = filepath.WalkDir(filepath.Join(s.dir, "chunks"), func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || need[strings.TrimSuffix(e.Name(), memberPacked)] {
			return gone(err)
		}
		if st, err := e.Info(); err == nil {
			freed += st.Size()
		}
		return errors.Join(ctx.Err(), gone(os.Remove(path)))
	})
	return freed, gone(err)
}
