package cmd

import (
	"crypto/sha256"
	"encoding/hex"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"
	"time"

	"golang.org/x/term"

	"github.com/mailblast/mailblast/cmd/screen"
)

// env is the process's state. Nothing below this package reads any of it.
type env struct {
	args             []string
	in               io.Reader
	out, err         io.Writer
	inTTY, errTTY    bool
	outTTY           bool
	width            func() int // of the terminal, in cells
	lookup           func(string) (string, bool)
	signals          <-chan os.Signal
	now              func() time.Time
	opener           func(path string) error // shows a file in the browser; errNoDesktop: there is none to show it on
	version          string
	host             string
	installation     string // what tells this machine from others; empty: not known
	pid              int
	files            int               // that may be open at once; 0: not known
	openable         func(n int) error // whether n more files may be open at once; nil: not known
	verb             []string          // the command that runs, such as journal export
	quiet, noColor   bool
	verbose          bool
	envFile, stateIn string
	dir              string
	file, state      string // the campaign that the command was given, if it takes one, and its state directory
	misused          *fault // help was asked for a command that there is not
	unsaid           error  // why standard output does not have all that was said
}

// process gives the state of this process. Its SIGPIPE is ignored, so that sending goes on when the reader of our output
// has gone; the write error says so then.
func process() *env {
	sigs := make(chan os.Signal, 4)
	signal.Notify(sigs, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	signal.Ignore(syscall.SIGPIPE)
	host, _ := os.Hostname()
	return &env{
		args: os.Args[1:], in: os.Stdin, out: os.Stdout, err: os.Stderr,
		inTTY: isTerminal(os.Stdin), outTTY: isTerminal(os.Stdout), errTTY: isTerminal(os.Stderr),
		width: func() int {
			w, _, err := term.GetSize(int(os.Stderr.Fd()))
			if err != nil || w <= 0 {
				return 80
			}
			return w
		},
		lookup: os.LookupEnv, signals: sigs, now: time.Now, opener: openFile, version: version(), host: host, installation: installation(), pid: os.Getpid(),
		files: openFiles(), openable: openable,
	}
}

// installation reads the number that systemd gives each installation, machine-id(5). It must not leave the machine, so a hash of it
// stands for it. Containers often have none: then copies are not told apart.
func installation() string {
	id, err := os.ReadFile("/etc/machine-id")
	if text := strings.TrimSpace(string(id)); err == nil && len(text) >= 32 {
		sum := sha256.Sum256([]byte("mailblast " + text))
		return hex.EncodeToString(sum[:8])
	}
	return ""
}

func isTerminal(f *os.File) bool { return term.IsTerminal(int(f.Fd())) }

// version is the module's version as the toolchain recorded it.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" {
		return "(devel)"
	}
	return info.Main.Version
}

// color tells whether to colour what goes to a stream: only a terminal's, unless forced (no-color.org, bixense.com/clicolors).
func (e *env) color(tty bool) bool {
	if e.noColor || e.set("NO_COLOR") || e.value("TERM") == "dumb" {
		return false
	}
	return tty || e.set("CLICOLOR_FORCE") && e.value("CLICOLOR_FORCE") != "0"
}

func (e *env) set(name string) bool     { return e.value(name) != "" }
func (e *env) value(name string) string { v, _ := e.lookup(name); return v }

// json writes a value to standard output as one line of JSON.
func (e *env) json(v any) error {
	b, err := screen.JSON(v)
	if err == nil {
		_, err = e.out.Write(b)
	}
	return err
}
