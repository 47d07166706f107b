package cmd

import (
	"errors"
	"os"
	"os/exec"
	"runtime"
)

// openFile shows a file in the program that the desktop has for it, and does not wait for that. No shell is in between.
func openFile(path string) error {
	argv := []string{"xdg-open", path}
	switch runtime.GOOS {
	case "darwin":
		argv[0] = "open"
	case "windows":
		argv = []string{"rundll32", "url.dll,FileProtocolHandler", path}
	default:
		if os.Getenv("DISPLAY") == "" && os.Getenv("WAYLAND_DISPLAY") == "" {
			return errNoDesktop
		}
	}
	program, err := exec.LookPath(argv[0])
	if errors.Is(err, exec.ErrNotFound) {
		return errNoDesktop
	}
	if err != nil {
		return err
	}
	c := exec.Command(program, argv[1:]...)
	if err := c.Start(); err != nil {
		return err
	}
	return c.Process.Release()
}
