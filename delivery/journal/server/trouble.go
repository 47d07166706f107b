package server

import (
	"errors"

	"github.com/lib/pq"

	"github.com/mailblast/mailblast/delivery/journal/ledger"
	"github.com/mailblast/mailblast/delivery/journal/refusal"
	"github.com/mailblast/mailblast/delivery/panicked"
)

// away tells of trouble that passes: the server is not there, is going, or ended our transaction for the sake of another.
func away(err error) bool {
	var said *pq.Error
	if errors.As(err, &said) {
		switch said.Code {
		case "40001", "40P01", "53300", "57P01", "57P02", "57P03", "57P05", "25P03", "55P03": // conflict, deadlock, too many clients, shut down, idle for too long
			return true
		}
		return said.Code.Class() == "08"
	}
	return refusal.Broken(err)
}

// typed gives an error of the server its type.
func (s *Store) typed(err error) error {
	var said *pq.Error
	if !errors.As(err, &said) {
		return refusal.Of(s.place.name, err)
	}
	switch said.Code {
	case "55P03": // another has the tables
		return &refusal.ServerError{File: s.place.name, Why: ledger.ErrUsed, Err: err}
	case "XX001", "XX002": // data or index corrupted
		return &refusal.DamagedError{File: s.place.name, What: "damaged, as the server finds", Err: err}
	case "23505", "23502": // no row of ours meets another's place, nor lacks a value
		return &refusal.DamagedError{File: s.place.name, What: "damaged", Err: err}
	}
	return refusal.Of(s.place.name, err)
}

// judge says whether an error is the end of all writing: what f of Update refuses is not, what the server does is.
func (s *Store) judge(err error) error {
	err = s.typed(err)
	switch {
	case errors.As(err, new(*panicked.Error)), errors.As(err, new(*refusal.DamagedError)):
		s.stop(err)
	case errors.As(err, new(*refusal.ServerError)) && !errors.Is(err, ledger.ErrUsed) && !refusal.NoRoom(err):
		s.stop(err)
	}
	return err
}
