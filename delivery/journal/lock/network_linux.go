package lock

import (
	"os"

	"golang.org/x/sys/unix"
)

// magics are the numbers of statfs(2). Others than these are asked for by name.
var magics = map[uint32]string{
	unix.NFS_SUPER_MAGIC: "nfs", unix.CIFS_SUPER_MAGIC: "cifs", unix.SMB_SUPER_MAGIC: "smb", unix.SMB2_SUPER_MAGIC: "smb2",
	unix.V9FS_MAGIC: "9p", unix.AFS_SUPER_MAGIC: "afs", unix.AFS_FS_MAGIC: "afs", unix.CODA_SUPER_MAGIC: "coda", unix.NCP_SUPER_MAGIC: "ncpfs",
	unix.CEPH_SUPER_MAGIC: "ceph", unix.OCFS2_SUPER_MAGIC: "ocfs2", 0x0bd00bd0: "lustre", 0x01161970: "gfs2",
}

// Network names the network file system that a directory lies on. Empty: none, or not known.
func Network(dir string) string {
	var st unix.Statfs_t
	if unix.Statfs(dir, &st) != nil {
		return ""
	}
	return network(uint32(st.Type), func() string {
		var at unix.Stat_t
		text, err := os.ReadFile("/proc/self/mountinfo")
		if err != nil || unix.Stat(dir, &at) != nil {
			return ""
		}
		return mountType(string(text), unix.Major(at.Dev), unix.Minor(at.Dev))
	})
}

// network judges by number; of FUSE, which may be anything, by name.
func network(magic uint32, name func() string) string {
	if magic == unix.FUSE_SUPER_MAGIC {
		return networks[name()]
	}
	return networks[magics[magic]]
}
