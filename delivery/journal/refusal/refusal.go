// Package refusal tells why a journal is refused, by type:
//
//  1. DamagedError and NewerError: it cannot be trusted, or not be understood;
//  2. LostError and HostError: it is not what was here before, which a person may allow;
//  3. SecretError: the deliveries of a run could not be told apart any more;
//  4. DiskError: the disk is full, broken, or not ours to write to; ServerError: the server, where the journal is on one;
//  5. Of finds damage and trouble in what SQLite and PostgreSQL say.
package refusal

import (
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"strings"
	"syscall"

	"github.com/lib/pq"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/mailblast/mailblast/delivery/journal/register"
)

// DamagedError says that the journal is not as it was written. Nothing is sent by it; `journal check` tells more, and
// `journal repair` makes a new one of what is intact.
type DamagedError struct {
	File string // the one to look at
	What string // for a person
	Rows int    // how many rows are damaged or missing; 0: another kind of damage, or not known
	Gone uint64 // commits that are missing at its end
	Err  error  // of SQLite; may be nil
}

func (e *DamagedError) Error() string {
	s := fmt.Sprintf("%s: %s", e.File, e.What)
	if e.Err != nil {
		s += fmt.Sprintf(" (%v)", e.Err)
	}
	return s
}

func (e *DamagedError) Unwrap() error { return e.Err }

// NewerError says that a later version of the program wrote the journal.
type NewerError struct {
	File       string
	Have, Know int // schema versions
}

func (e *NewerError) Error() string {
	return fmt.Sprintf("%s: written by a newer version of this program (schema %d, this one knows %d)", e.File, e.Have, e.Know)
}

// LostError says that runs were begun in this directory of which the journal knows nothing: whoever got their mail would
// get it again. A person who knows better allows it by Options.StartOver or Spec.StartOver.
type LostError struct {
	File    string         // the journal
	Missing bool           // there is no journal at all; else it is another one, or an older one
	Runs    []register.Run // those lost, the latest last; may be empty when the list of runs is lost, too
}

func (e *LostError) Error() string {
	what := "knows nothing of"
	if e.Missing {
		what = "is missing, but there were"
	}
	if len(e.Runs) == 0 {
		return fmt.Sprintf("%s is missing, but mail was sent from here before", e.File)
	}
	const most = 3
	var names []string
	for _, r := range e.Runs[max(0, len(e.Runs)-most):] {
		names = append(names, fmt.Sprintf("%s, begun %s", r.Name(), r.Begun.Local().Format("2006-01-02 15:04")))
	}
	s := fmt.Sprintf("%s %s runs here: %s", e.File, what, strings.Join(names, "; "))
	if n := len(e.Runs) - len(names); n > 0 {
		s += fmt.Sprintf("; and %d more before", n)
	}
	return s
}

// HostError says that the journal was last written on another machine: it may be a copy, and the original be in use. A
// person allows it by Spec.Move.
type HostError struct {
	File       string
	Have, Here string
}

func (e *HostError) Error() string {
	return fmt.Sprintf("%s: last sent from the machine %s, this is %s", e.File, e.Have, e.Here)
}

// SecretError says that a run was begun with another secret: with this one every delivery of it would look new.
type SecretError struct {
	Run  string // its name
	File string
}

func (e *SecretError) Error() string {
	return fmt.Sprintf("%s: %s was begun with another secret: everyone would get it again", e.File, e.Run)
}

// DiskError says that the disk did not do what the journal asked of it.
type DiskError struct {
	File string
	Why  error // ENOSPC, EDQUOT, EIO; or fs.ErrPermission: the file or its directory cannot be written
	Err  error // of SQLite
}

func (e *DiskError) Error() string { return fmt.Sprintf("%s: %v (%v)", e.File, e.Why, e.Err) }

func (e *DiskError) Unwrap() []error { return []error{e.Why, e.Err} }

// ServerError says that the server of a journal did not do what was asked of it.
type ServerError struct {
	File string // the journal, by its server and database
	Why  error  // syscall.ENOSPC: its disk is full; fs.ErrPermission: it does not let us; nil: what Err says
	Lost bool   // it was there before
	// Login says that it is the login that was refused, or its database.
	Login bool
	Err   error // of the driver
}

func (e *ServerError) Error() string {
	if e.Why != nil {
		return fmt.Sprintf("%s: %v (%v)", e.File, e.Why, e.Err)
	}
	return fmt.Sprintf("%s: %v", e.File, e.Err)
}

func (e *ServerError) Unwrap() []error { return []error{e.Why, e.Err} }

// TakenError says that another process carries a run on since.
type TakenError struct{ Run string } // its name

func (e *TakenError) Error() string {
	return e.Run + " is carried on by another process since, as its journal says"
}

// Of gives an error of SQLite or PostgreSQL its type: damage is a *DamagedError, trouble with the disk a *DiskError, with the server a
// *ServerError. All name the file.
func Of(file string, err error) error {
	if err == nil || errors.As(err, new(*DamagedError)) || errors.As(err, new(*DiskError)) || errors.As(err, new(*ServerError)) {
		return err
	}
	if strings.HasPrefix(file, "postgres://") {
		return ofServer(file, err)
	}
	switch code, _ := Code(err); code & 0xff {
	case sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_FORMAT, sqlite3.SQLITE_MISMATCH,
		sqlite3.SQLITE_CONSTRAINT: // no row of ours meets another's place, nor lacks a value
		return &DamagedError{File: file, What: "damaged", Err: err}
	case sqlite3.SQLITE_FULL:
		return &DiskError{File: file, Why: syscall.ENOSPC, Err: err}
	case sqlite3.SQLITE_IOERR:
		if code == sqlite3.SQLITE_IOERR_SHORT_READ {
			return &DamagedError{File: file, What: "damaged: it is shorter than it says", Err: err}
		}
		if code == sqlite3.SQLITE_IOERR_SHMSIZE { // its file of shared memory could not grow
			return &DiskError{File: file, Why: syscall.ENOSPC, Err: err}
		}
		return &DiskError{File: file, Why: syscall.EIO, Err: err}
	case sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM:
		return &DiskError{File: file, Why: fs.ErrPermission, Err: err}
	}
	return err
}

func ofServer(file string, err error) error {
	var said *pq.Error
	if !errors.As(err, &said) {
		if Broken(err) || errors.Is(err, pq.ErrSSLNotSupported) {
			return &ServerError{File: file, Err: err}
		}
		return err
	}
	e := &ServerError{File: file, Err: err}
	switch {
	case said.Code == "53100":
		e.Why = syscall.ENOSPC
	case said.Code.Class() == "28" || said.Code == "3D000": // no such login, or database
		e.Why, e.Login = fs.ErrPermission, true
	case said.Code == "42501" || said.Code == "42P01" || said.Code == "3F000": // not allowed; not seen, for want of rights
		e.Why = fs.ErrPermission
	}
	return e
}

// Broken tells of a connection to a server that broke, or was never made.
func Broken(err error) bool {
	for _, cut := range []error{driver.ErrBadConn, sql.ErrConnDone, io.EOF, io.ErrUnexpectedEOF} {
		if errors.Is(err, cut) {
			return true
		}
	}
	return errors.As(err, new(*net.OpError))
}

// NoRoom tells of an error that leaves the file as it was: more may be written once there is room.
func NoRoom(err error) bool { return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) }

// Code gives the extended result code of an error of SQLite.
func Code(err error) (code int, ok bool) {
	var s *sqlite.Error
	if errors.As(err, &s) {
		return s.Code(), true
	}
	return 0, false
}
