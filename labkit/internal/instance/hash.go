package instance

import "icm/labkit/internal/passhash"

// hashed is the hash of a password, and nothing of none.
func hashed(password string) (string, error) {
	if password == "" {
		return "", nil
	}
	return passhash.Make(password)
}
