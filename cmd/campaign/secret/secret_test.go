package secret

import (
	"context"
	"errors"
	"testing"
	"time"
)

func TestCommandIsCut(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	began := time.Now()
	_, err := Command(ctx, "password_command", []string{"sleep", "20"}, "")
	if !errors.Is(err, context.DeadlineExceeded) || time.Since(began) > 5*time.Second {
		t.Errorf("%v after %v", err, time.Since(began))
	}
}
