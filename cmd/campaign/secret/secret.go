// Package secret has passwords and tokens, and gets them when they are needed:
//
//  1. a Text is never printed, whatever prints it; Reveal gives it for the one place that needs it;
//  2. ReadFile takes it from a file that nobody else may read;
//  3. Command takes it from a program that is run without a shell, for a bounded time.
//
// What the file or the program gave is never part of an error.
package secret

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os/exec"
	"strings"
	"time"

	"github.com/mailblast/mailblast/cmd/campaign/source"
)

// Text is what is never printed: every verb of fmt, JSON, YAML and slog show ***. Reveal gives it.
type Text struct{ text string }

// Masked is what is shown in its place.
const Masked = "***"

// New hides text.
func New(text string) Text { return Text{text} }

// Reveal gives the text, for the one place that needs it.
func (s Text) Reveal() string { return s.text }

// Empty tells that there is no text.
func (s Text) Empty() bool { return s.text == "" }

// String hides the text; so do the methods below.
func (s Text) String() string {
	if s.text == "" {
		return ""
	}
	return Masked
}

// Format serves every verb, with every flag.
func (s Text) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.String()) }

// MarshalText serves JSON, YAML and whatever else encodes text.
func (s Text) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// LogValue serves slog.
func (s Text) LogValue() slog.Value { return slog.StringValue(s.String()) }

const (
	commandTime = 10 * time.Second
	maxSecret   = 64 << 10 // octets that a file or command may give
)

// ReadFile takes the first line of a file that nobody else may read.
func ReadFile(path string) (Text, error) {
	f, info, err := source.Open(path)
	if err != nil {
		return Text{}, fmt.Errorf("password_file: %w", err)
	}
	defer func() { _ = f.Close() }()
	if fault := Private(info); fault != "" {
		return Text{}, fmt.Errorf("password_file: %s %s", path, fault)
	}
	text, err := io.ReadAll(io.LimitReader(f, maxSecret))
	if err != nil {
		return Text{}, fmt.Errorf("password_file: %w", err)
	}
	return firstLine("password_file", text)
}

// Private says what is wrong with the file of a secret.
func Private(info fs.FileInfo) string {
	if !info.Mode().IsRegular() {
		return "is not a regular file"
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return fmt.Sprintf("has mode %04o: others can read it", mode)
	}
	return ""
}

func firstLine(what string, text []byte) (Text, error) {
	line, _, _ := strings.Cut(string(text), "\n")
	line = strings.TrimSuffix(line, "\r")
	if line == "" {
		return Text{}, fmt.Errorf("%s: the first line is empty", what)
	}
	return New(line), nil
}

// Command runs argv without a shell. Its output is never part of an error; what it says on standard error is.
func Command(ctx context.Context, what string, argv []string, dir string) (Text, error) {
	within, cancel := context.WithTimeout(ctx, commandTime)
	defer cancel()
	cmd := exec.CommandContext(within, argv[0], argv[1:]...)
	cmd.Dir, cmd.WaitDelay = dir, time.Second
	out, complaint := &bounded{}, &bounded{}
	cmd.Stdout, cmd.Stderr = out, complaint
	err := cmd.Run()
	switch {
	case ctx.Err() != nil:
		return Text{}, fmt.Errorf("%s: %w", what, ctx.Err())
	case within.Err() != nil:
		return Text{}, fmt.Errorf("%s: %s did not end within %v", what, argv[0], commandTime)
	case errors.Is(err, exec.ErrWaitDelay): // it ended well and left a child behind that holds its output open
	case err != nil:
		return Text{}, fmt.Errorf("%s: %w%s", what, err, complaint.words(out))
	}
	return firstLine(what, out.kept)
}

// bounded keeps the first octets that are written and drops the rest.
type bounded struct{ kept []byte }

func (b *bounded) Write(p []byte) (int, error) {
	b.kept = append(b.kept, p[:min(len(p), maxSecret-len(b.kept))]...)
	return len(p), nil
}

// words gives the first line as part of an error, without the secret that the program may have printed all the same.
func (b *bounded) words(out *bounded) string {
	line, _, _ := strings.Cut(strings.TrimSpace(string(b.kept)), "\n")
	if line == "" {
		return ""
	}
	if printed, _, _ := strings.Cut(string(out.kept), "\n"); strings.TrimSpace(printed) != "" {
		line = strings.ReplaceAll(line, strings.TrimSpace(printed), Masked)
	}
	r := []rune(source.Mask(line))
	return ": " + string(r[:min(len(r), 200)])
}
