package campaign

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/mailblast/mailblast/cmd/campaign/source"
)

// Secret is text that is never printed: every verb of fmt, JSON, YAML and slog show ***. Reveal gives it.
type Secret struct{ text string }

const masked = "***"

// NewSecret hides text.
func NewSecret(text string) Secret { return Secret{text} }

// Reveal gives the text, for the one place that needs it.
func (s Secret) Reveal() string { return s.text }

// Empty tells that there is no text.
func (s Secret) Empty() bool { return s.text == "" }

// String hides the text; so do the methods below.
func (s Secret) String() string {
	if s.text == "" {
		return ""
	}
	return masked
}

// Format serves every verb, with every flag.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.String()) }

// MarshalText serves JSON, YAML and whatever else encodes text.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// LogValue serves slog.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

const (
	commandTime = 10 * time.Second
	maxSecret   = 64 << 10 // octets that a file or command may give
)

// Credential gets the password or token when it is needed: from campaign.yaml, a file, or the first line that a command
// prints. It is empty when there is none.
func (r *Relay) Credential(ctx context.Context) (Secret, error) {
	switch {
	case len(r.TokenCommand) > 0:
		return runCommand(ctx, "token_command", r.TokenCommand, r.dir)
	case len(r.PasswordCommand) > 0:
		return runCommand(ctx, "password_command", r.PasswordCommand, r.dir)
	case r.PasswordFile != "":
		return readSecret(r.PasswordFile)
	}
	return r.Password, nil
}

// readSecret takes the first line of a file that nobody else may read.
func readSecret(path string) (Secret, error) {
	f, err := os.Open(path)
	if err != nil {
		return Secret{}, fmt.Errorf("password_file: %w", err)
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return Secret{}, fmt.Errorf("password_file: %w", err)
	}
	if fault := private(info); fault != "" {
		return Secret{}, fmt.Errorf("password_file: %s %s", path, fault)
	}
	text, err := io.ReadAll(io.LimitReader(f, maxSecret))
	if err != nil {
		return Secret{}, fmt.Errorf("password_file: %w", err)
	}
	return firstLine("password_file", text)
}

// private says what is wrong with the file of a secret.
func private(info fs.FileInfo) string {
	if !info.Mode().IsRegular() {
		return "is not a regular file"
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return fmt.Sprintf("has mode %04o: others can read it", mode)
	}
	return ""
}

func firstLine(what string, text []byte) (Secret, error) {
	line, _, _ := strings.Cut(string(text), "\n")
	line = strings.TrimSuffix(line, "\r")
	if line == "" {
		return Secret{}, fmt.Errorf("%s: the first line is empty", what)
	}
	return NewSecret(line), nil
}

// runCommand runs argv without a shell. Its output is never part of an error; what it says on standard error is.
func runCommand(ctx context.Context, what string, argv []string, dir string) (Secret, error) {
	within, cancel := context.WithTimeout(ctx, commandTime)
	defer cancel()
	cmd := exec.CommandContext(within, argv[0], argv[1:]...)
	cmd.Dir, cmd.WaitDelay = dir, time.Second
	out, complaint := &bounded{}, &bounded{}
	cmd.Stdout, cmd.Stderr = out, complaint
	err := cmd.Run()
	switch {
	case ctx.Err() != nil:
		return Secret{}, fmt.Errorf("%s: %w", what, ctx.Err())
	case within.Err() != nil:
		return Secret{}, fmt.Errorf("%s: %s did not end within %v", what, argv[0], commandTime)
	case errors.Is(err, exec.ErrWaitDelay): // it ended well and left a child behind that holds its output open
	case err != nil:
		return Secret{}, fmt.Errorf("%s: %w%s", what, err, complaint.words())
	}
	return firstLine(what, out.kept)
}

// bounded keeps the first octets that are written and drops the rest.
type bounded struct{ kept []byte }

func (b *bounded) Write(p []byte) (int, error) {
	b.kept = append(b.kept, p[:min(len(p), maxSecret-len(b.kept))]...)
	return len(p), nil
}

// words gives the first line as part of an error.
func (b *bounded) words() string {
	line, _, _ := strings.Cut(strings.TrimSpace(string(b.kept)), "\n")
	if line == "" {
		return ""
	}
	r := []rune(source.Mask(line))
	return ": " + string(r[:min(len(r), 200)])
}
