package journaltest

import (
	"os"
	"os/exec"
	"testing"
)

// Need leaves a test out where a program it needs does not work, unless everything must be there.
func Need(t testing.TB, program string, args ...string) {
	t.Helper()
	if out, err := exec.Command(program, args...).CombinedOutput(); err == nil {
		return
	} else if os.Getenv("CI") == "true" {
		t.Fatalf("%s does not work: %v %s", program, err, out)
	}
	t.Skipf("%s does not work on this machine", program)
}
