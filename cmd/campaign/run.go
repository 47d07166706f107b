package campaign

import (
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// RunKey names the run that is due: rerunning within it resumes, and nobody gets a second letter. hash is that of the
// campaign's content and is used by repeat: on-change.
func (c *Campaign) RunKey(now time.Time, hash string) string {
	switch c.Repeat {
	case "daily":
		return now.Format("2006-01-02")
	case "weekly":
		year, week := now.ISOWeek()
		return fmt.Sprintf("%04d-W%02d", year, week)
	case "monthly":
		return now.Format("2006-01")
	case "on-change":
		return hash
	case "always":
		return now.UTC().Format("20060102T150405.000Z")
	}
	return "once"
}

// stateName is the directory that holds journal and secret.
const stateName = ".mailblast"

// StateDir finds the nearest .mailblast from the folder upward; without one it is to be made in the folder itself.
func StateDir(dir string) string {
	for at := dir; ; at = filepath.Dir(at) {
		path := filepath.Join(at, stateName)
		if info, err := os.Stat(path); err == nil && info.IsDir() {
			return path
		}
		if at == filepath.Dir(at) {
			return filepath.Join(dir, stateName)
		}
	}
}
