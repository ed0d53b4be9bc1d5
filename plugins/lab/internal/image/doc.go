// Package image keeps the root file systems that lab nodes start from.
//
// An image is a directory in the cache, named after what it was made of: the
// recipe for mmdebstrap, or a tarball the user named. It is made once, beside
// its final place, and renamed there when it is complete. Nodes only read it;
// what they change goes into a directory of their own.
package image
