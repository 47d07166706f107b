package lock

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"
	"time"
)

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestTake(t *testing.T) {
	ctx, dir := context.Background(), t.TempDir()
	check(t, os.Chmod(dir, 0o700))
	me := Holder{PID: 4711, Host: "a", Start: time.Unix(1764000000, 0)}
	held, err := Take(ctx, dir, "spring/../w 1", me)
	if err != nil {
		t.Fatal(err)
	}
	_, err = Take(ctx, dir, "spring/../w 1", Holder{PID: 1})
	var locked *HeldError
	if !errors.As(err, &locked) || locked.Holder.PID != 4711 || !locked.Holder.Start.Equal(me.Start) || !strings.Contains(err.Error(), "4711") {
		t.Errorf("second lock: %v", err)
	}
	if h, ok, err := Peek(dir, "spring/../w 1"); !ok || err != nil || h.Run != "spring/../w 1" {
		t.Errorf("peek: %v %v %v", h, ok, err)
	}
	other, err := Take(ctx, dir, "autumn", me)
	if err != nil {
		t.Fatal(err)
	}
	check(t, other.Release())
	check(t, held.Release())
	if _, ok, err := Peek(dir, "spring/../w 1"); ok || err != nil {
		t.Errorf("peek after release: %v %v", ok, err)
	}
	held, err = Take(ctx, dir, "spring/../w 1", me)
	if err != nil {
		t.Fatal(err)
	}
	check(t, held.file.Close()) // as a killed process leaves it
	if _, ok, err := Peek(dir, "spring/../w 1"); ok || err != nil {
		t.Errorf("peek after a kill: %v %v", ok, err)
	}
}

// Who is alone keeps every run out, one that begins and one that is under way.
func TestAlone(t *testing.T) {
	ctx, dir := context.Background(), t.TempDir()
	check(t, os.Chmod(dir, 0o700))
	held, err := Take(ctx, dir, "spring", Holder{PID: 4711, Host: "a"})
	if err != nil {
		t.Fatal(err)
	}
	var other *HeldError
	if _, err := Alone(ctx, dir, Holder{PID: 5}); !errors.As(err, &other) || other.Holder.PID != 4711 || other.Holder.Run != "spring" {
		t.Errorf("alone beside a run: %v", err)
	}
	check(t, held.Release())
	alone, err := Alone(ctx, dir, Holder{PID: 5, Host: "b"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Take(ctx, dir, "autumn", Holder{PID: 6}); !errors.As(err, &other) || !strings.Contains(err.Error(), "process 5 on b has") {
		t.Errorf("a run beside who is alone: %v", err)
	}
	if _, err := Alone(ctx, dir, Holder{PID: 7}); !errors.As(err, &other) || other.Holder.PID != 5 {
		t.Errorf("two alone: %v", err)
	}
	check(t, alone.Release())
	if alone, err = Alone(ctx, dir, Holder{PID: 5, Host: "b", Doing: "purged"}); err != nil {
		t.Fatal(err)
	}
	if _, err := Take(ctx, dir, "autumn", Holder{PID: 6}); !errors.As(err, &other) || !strings.Contains(err.Error(), "the state directory is being purged by process 5 on b since") {
		t.Errorf("a run while all is purged: %v", err)
	}
	check(t, alone.Release())
	for _, name := range []string{"spring", "autumn"} { // two campaigns at once are as ever
		held, err := Take(ctx, dir, name, Holder{PID: 8})
		check(t, err)
		defer func() { check(t, held.Release()) }()
	}
}

// Short writes go on beside each other and beside runs, and keep out only who is alone.
func TestShare(t *testing.T) {
	ctx, dir := context.Background(), t.TempDir()
	check(t, os.Chmod(dir, 0o700))
	held, err := Take(ctx, dir, "spring", Holder{PID: 4711, Host: "a"})
	check(t, err)
	one, err := Share(ctx, dir)
	check(t, err)
	two, err := Share(ctx, dir)
	check(t, err)
	check(t, errors.Join(held.Release(), one.Close()))
	var other *HeldError
	if _, err := Alone(ctx, dir, Holder{PID: 5}); !errors.As(err, &other) || !strings.Contains(err.Error(), "being written to by another process") {
		t.Errorf("alone beside a short write: %v", err)
	}
	check(t, two.Close())
	alone, err := Alone(ctx, dir, Holder{PID: 5, Host: "b"})
	check(t, err)
	if _, err := Share(ctx, dir); !errors.As(err, &other) || other.Holder.PID != 5 {
		t.Errorf("a short write beside who is alone: %v", err)
	}
	check(t, alone.file.Close()) // as a killed process leaves it
	three, err := Share(ctx, dir)
	check(t, err)
	if _, err := Alone(ctx, dir, Holder{PID: 6}); !errors.As(err, &other) || other.Holder.PID != 0 {
		t.Errorf("what a killed process left is taken for who holds the lock: %v", err)
	}
	check(t, three.Close())
}
