// Package bundle carries everything that a deployment needs in one file, to
// sites that never connect.
//
// # Bundle
//
// A bundle is a tar archive of three things, in this order: the signature
// (manifest.json.minisig), the manifest (manifest.json), and chunks. tar and
// minisign are enough to see who signed what is in it. Nothing of a bundle is
// believed before the signature of the manifest is, and no byte leaves it whose
// sha256 the manifest does not vouch for.
//
// # Manifest
//
// The manifest names every file with its version, platform, size and sha256, and
// the chunks that the file is made of. Its own sha256, the digest, names the
// bundle.
//
// # Chunk
//
// A chunk is a part of a file, some 256 KiB, stored under its sha256, once
// however many files have it. Where one ends the content decides, so a change in
// the middle of a file leaves the chunks after it as they were.
//
// # Delta
//
// A delta bundle has the same manifest as the full one, and only those chunks that
// the base, an older bundle, does not have. With the base at hand it is as good
// as the full one.
//
// # Store
//
// The store is a directory of bundles that were loaded, what they share once. It
// holds the pinned keys, and remembers the newest bundle of each name, so that
// an older one is not taken for it unnoticed.
package bundle
