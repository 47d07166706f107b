//go:build !linux && !darwin

package lock

// Network names the network file system that a directory lies on. Empty: none, or not known.
func Network(string) string { return "" }
