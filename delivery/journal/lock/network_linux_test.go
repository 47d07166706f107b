package lock

import (
	"path/filepath"
	"testing"
)

const mounts = `22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
40 22 0:45 / /mnt/web rw,nosuid - fuse.sshfs ana@web: rw,user_id=0
41 22 0:46 / /mnt/usb rw - fuseblk /dev/sdb1 rw
42 22 0:47 / /mnt/a\040b rw shared:7 master:2 - fuse.rclone drive: rw
43 22 0:48 / /mnt/odd
`

// What lies on another machine is told from what does not, by numbers and names as systems have them.
func TestNetwork(t *testing.T) {
	for _, c := range []struct {
		magic uint32
		minor uint32 // of device 0 in mounts
		want  string
	}{
		{0x6969, 0, "NFS"},
		{0xff534d42, 0, "SMB"},
		{0xfe534d42, 0, "SMB"},
		{0x517b, 0, "SMB"},
		{0x01021997, 0, "9P"},
		{0x00c36400, 0, "Ceph"},
		{0x0bd00bd0, 0, "Lustre"},
		{0x65735546, 45, "sshfs"},
		{0x65735546, 47, "rclone"},
		{0x65735546, 46, ""}, // NTFS on a stick
		{0x65735546, 48, ""},
		{0x65735546, 99, ""},
		{0xef53, 45, ""},    // ext4
		{0x9123683e, 0, ""}, // btrfs
		{0x58465342, 0, ""}, // xfs
		{0x2fc12fc1, 0, ""}, // zfs
		{0x01021994, 0, ""}, // tmpfs
		{0x794c7630, 0, ""}, // overlayfs
		{0, 0, ""},
	} {
		if got := network(c.magic, func() string { return mountType(mounts, 0, c.minor) }); got != c.want {
			t.Errorf("%#x, device 0:%d: %q, want %q", c.magic, c.minor, got, c.want)
		}
	}
	for _, magic := range magics {
		if networks[magic] == "" {
			t.Errorf("%s has no name for people", magic)
		}
	}
	for dir, want := range map[string]string{"/proc": "", filepath.Join(t.TempDir(), "missing"): ""} {
		if got := Network(dir); got != want {
			t.Errorf("%s: %q", dir, got)
		}
	}
}
