package lock

import (
	"fmt"
	"strings"
)

// networks are file systems whose files lie on another machine, by the names that systems give them, and what people call them.
// There a lock may hold on this machine only, and what was synced may not be on any disk.
var networks = map[string]string{
	"nfs": "NFS", "nfs4": "NFS", "cifs": "SMB", "smb": "SMB", "smb2": "SMB", "smb3": "SMB", "smbfs": "SMB", "afpfs": "AFP", "webdav": "WebDAV",
	"9p": "9P", "afs": "AFS", "coda": "Coda", "ncpfs": "NCP", "ceph": "Ceph", "lustre": "Lustre", "gfs2": "GFS2", "ocfs2": "OCFS2",
	"fuse.sshfs": "sshfs", "fuse.s3fs": "s3fs", "fuse.rclone": "rclone", "fuse.glusterfs": "GlusterFS", "fuse.ceph-fuse": "Ceph", "fuse.davfs": "WebDAV",
	"fuse.gcsfuse": "gcsfuse", "fuse.juicefs": "JuiceFS", "fuse.curlftpfs": "curlftpfs", "fuse.afpfs": "AFP",
}

// mountType gives the type of the file system with a device number, from the text of mountinfo, proc_pid_mountinfo(5).
func mountType(mountinfo string, major, minor uint32) string {
	device := fmt.Sprintf("%d:%d", major, minor)
	for line := range strings.Lines(mountinfo) {
		before, after, ok := strings.Cut(line, " - ")
		if f := strings.Fields(before); ok && len(f) > 2 && f[2] == device {
			if f = strings.Fields(after); len(f) > 0 {
				return f[0]
			}
		}
	}
	return ""
}
