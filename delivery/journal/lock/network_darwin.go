package lock

import "golang.org/x/sys/unix"

// Network names the network file system that a directory lies on. Empty: none, or not known.
func Network(dir string) string {
	var st unix.Statfs_t
	if unix.Statfs(dir, &st) != nil {
		return ""
	}
	return networks[unix.ByteSliceToString(st.Fstypename[:])]
}
