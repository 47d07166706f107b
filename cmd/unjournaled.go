//go:build unjournaled

package cmd

import (
	"context"

	"github.com/mailblast/mailblast/delivery"
	"github.com/mailblast/mailblast/delivery/journal"
)

// remembering remembers nothing: `make bench` measures with it what the journal costs. A program built so keeps none of the
// promises, and is of no other use.
func remembering(*journal.Run) delivery.Journal { return oblivion{} }

type oblivion struct{}

func (oblivion) Intend([]*delivery.Message) func(context.Context) error {
	return func(context.Context) error { return nil }
}
func (oblivion) Record([]delivery.Outcome)                             {}
func (oblivion) Defer(*delivery.Message, delivery.Outcome) (mine bool) { return false }
