package screen

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
)

// Answer is what a person said to a question.
type Answer uint8

// Only the whole word yes is Yes; t or test is Test; anything else is No, and so is the end of the input.
const (
	No Answer = iota
	Yes
	Test
)

// Ask puts a question to a person on a terminal and waits for a line. When ctx ends first, the read is left behind,
// since a terminal's read cannot be cut: in must not be used again then.
func Ask(ctx context.Context, in *bufio.Reader, out io.Writer, question string) (Answer, error) {
	for {
		if _, err := io.WriteString(out, question); err != nil {
			return No, fmt.Errorf("question: %w", err)
		}
		line, err := readLine(ctx, in)
		if err != nil {
			return No, err
		}
		if !strings.HasSuffix(line, "\n") { // the end of the input: the question's line is still open
			if _, err := io.WriteString(out, "\n"); err != nil {
				return No, fmt.Errorf("question: %w", err)
			}
		}
		switch strings.ToLower(strings.TrimSpace(line)) {
		case "yes":
			return Yes, nil
		case "t", "test":
			return Test, nil
		case "y":
			question = "Please type the whole word, yes: "
			continue
		}
		return No, nil
	}
}

func readLine(ctx context.Context, in *bufio.Reader) (string, error) {
	type read struct {
		line string
		err  error
	}
	got := make(chan read, 1)
	go func() {
		line, err := in.ReadSlice('\n')
		if errors.Is(err, io.EOF) || errors.Is(err, bufio.ErrBufferFull) {
			err = nil // a line without an end, or one that is no answer
		}
		got <- read{string(line), err}
	}()
	select {
	case <-ctx.Done():
		return "", ctx.Err()
	case r := <-got:
		if r.err != nil {
			return "", fmt.Errorf("answer: %w", r.err)
		}
		return r.line, nil
	}
}
