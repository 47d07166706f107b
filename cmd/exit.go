package cmd

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/mailblast/mailblast/composer/rows"
	"github.com/mailblast/mailblast/composer/rows/guard"
	"github.com/mailblast/mailblast/delivery"
	"github.com/mailblast/mailblast/delivery/journal/lock"
	"github.com/mailblast/mailblast/delivery/journal/refusal"
	"github.com/mailblast/mailblast/delivery/panicked"
)

// The exit codes: sysexits(3) numbers where one fits. docs/exit-codes.md tells what to do about each.
const (
	exitOK          = 0
	exitNo          = 1   // the answer no of suppress list --check
	exitPartial     = 3   // finished, but some are unknown, or failed with --strict
	exitUsage       = 64  // the command line is wrong
	exitData        = 65  // the campaign, a template or the list is wrong
	exitNoInput     = 66  // a file or run is missing
	exitUnavailable = 69  // the database or mail server cannot be reached, nothing was sent
	exitBug         = 70  // a fault of ours
	exitIO          = 73  // output or state cannot be written, or the journal is damaged
	exitPaused      = 75  // paused with work left: run it again
	exitRefused     = 77  // expect, or answered no
	exitDenied      = 78  // login or TLS refused
	exitHangUp      = 129 // 128 + SIGHUP
	exitInterrupted = 130 // 128 + SIGINT
	exitTerminated  = 143 // 128 + SIGTERM
)

// exitText is what each code means, in the words of the help texts.
var exitText = map[int]string{
	exitOK: "done, or nothing to do", exitPartial: "finished, but some are unknown (or failed, with --strict)",
	exitUsage: "wrong command line", exitData: "campaign, template or list is invalid", exitNoInput: "a file or run is missing",
	exitUnavailable: "database or mail server unreachable, nothing was sent", exitBug: "a bug in mailblast",
	exitIO: "output or state cannot be written, or the journal is damaged", exitPaused: "paused with work left: run it again",
	exitRefused: "refused: expect, answered no, or the journal is not the one of the runs here", exitDenied: "login or TLS refused",
	exitHangUp: "hang-up, state saved", exitInterrupted: "interrupted, state saved", exitTerminated: "terminated, state saved",
}

// fault is an error that knows its exit code and what to do about it.
type fault struct {
	code int
	err  error  // nil: a person has been told everything already
	said string // with a nil err: what was said, for machines
	hint string
	then []string // words of a command of ours that ends the hint; it is told as it would be typed here
	test bool     // check tells when it is mended; the hint says so

	summed bool // the summary has been printed, which says it all to machines
}

func (f *fault) Error() string {
	switch {
	case f.err != nil:
		return f.err.Error()
	case f.said != "":
		return f.said
	}
	return exitText[f.code]
}

func (f *fault) Unwrap() error { return f.err }

func failf(code int, format string, args ...any) *fault {
	return &fault{code: code, err: fmt.Errorf(format, args...)}
}

func (f *fault) hinted(format string, args ...any) *fault {
	f.hint = fmt.Sprintf(format, args...)
	return f
}

// explain gives the exit code of an error and prints it, with its hint, for a person. What a server or a list says in it
// commands no terminal.
func (e *env) explain(err error) int {
	if err == nil {
		return exitOK
	}
	f := judge(err)
	if f.err != nil {
		fmt.Fprintf(e.err, "mailblast: %s\n", printableText(f.err.Error()))
	}
	if hint := e.hint(f); hint != "" {
		fmt.Fprintf(e.err, "hint: %s\n", printableText(hint))
	}
	return f.code
}

// hint is what to do about a fault, with its command.
func (e *env) hint(f *fault) string {
	hint := f.hint
	if len(f.then) > 0 {
		hint += e.onState(f.then...)
	}
	if !f.test {
		return hint
	}
	if hint != "" {
		hint += "; "
	}
	return hint + "test with: " + e.onFile("check")
}

// tested has the hint end with how to see that all is well again.
func (f *fault) tested() *fault {
	f.test = true
	return f
}

// lookOn is the command that tells how far the holder of a lock has got.
func lookOn(h lock.Holder) []string {
	if h.Run == "" {
		return []string{"status"}
	}
	return []string{"status", h.Run}
}

// judge finds what an error of any room means for the user.
func judge(err error) *fault {
	var (
		f      *fault
		locked *lock.HeldError
		other  *guard.HeldError
		lost   *guard.LostError
		halt   *delivery.Halt
	)
	if fewFiles(err) {
		return failf(exitIO, "%w", err).hinted(moreFiles)
	}
	if errors.As(err, &f) {
		return onDiskToo(f)
	}
	if f = distrusted(err); f != nil {
		return f
	}
	switch {
	case errors.As(err, new(*rows.Error)):
		return rowsFault(err)
	case errors.As(err, &locked):
		if locked.Holder.Run == "" { // the whole directory, which has no status
			return failf(exitPaused, "%w", locked).hinted("try again in a moment")
		}
		return &fault{code: exitPaused, err: fmt.Errorf("%w", locked), hint: "look on with: ", then: lookOn(locked.Holder)}
	case errors.As(err, &other):
		return &fault{code: exitPaused, err: other, hint: "only one machine sends a campaign at a time: look on there with mailblast status"}
	case errors.As(err, &lost):
		return &fault{code: exitPaused, err: lost, hint: "whether another machine began meanwhile is not known; run again when the database is back"}
	case errors.As(err, &halt):
		return halted(halt)
	case errors.As(err, new(*panicked.Error)):
		return bug(err)
	case errors.Is(err, fs.ErrNotExist):
		return &fault{code: exitNoInput, err: err}
	}
	if f = diskFault(err); f != nil {
		return f
	}
	return &fault{code: exitBug, err: err}
}

// bug is a panic that was contained. Its stack has no data of recipients in it, and is all that there is to go by.
func bug(err error) *fault {
	f := &fault{code: exitBug, err: err}
	if p := (*panicked.Error)(nil); errors.As(err, &p) {
		f = f.hinted("please report it, with these lines; what was sent is in the journal. %s", p.Stack)
	}
	return f
}

// distrusted is what it means that the journal is refused; nil: something else is wrong. Nothing was sent.
func distrusted(err error) *fault {
	var (
		damaged *refusal.DamagedError
		newer   *refusal.NewerError
		server  *refusal.ServerError
		lost    *refusal.LostError
		host    *refusal.HostError
		secret  *refusal.SecretError
	)
	switch {
	case errors.As(err, &damaged):
		return &fault{code: exitIO, err: err, hint: "look closer with: ", then: []string{"journal", "check"}}
	case errors.As(err, &newer):
		return &fault{code: exitIO, err: newer, hint: "use the newer version of mailblast"}
	case errors.As(err, &server):
		return serverFault(server)
	case errors.As(err, &lost) && lost.Missing && len(lost.Runs) == 0:
		return failf(exitRefused, "%w", lost).hinted(nothingLeft)
	case errors.As(err, &lost):
		return &fault{code: exitRefused, err: lost, hint: "restore the state directory, or hold everybody of these runs with: ",
			then: []string{"journal", "repair"}}
	case errors.As(err, &host):
		return &fault{code: exitRefused, err: host, hint: "make sure that no copy of the state directory is in use on the other machine"}
	case errors.As(err, &secret):
		return &fault{code: exitRefused, err: secret, hint: "restore the secret it was begun with (MAILBLAST_SECRET, or the file secret in the state directory)"}
	}
	return nil
}

// serverFault is what it means that the server of a journal does not do what it is asked.
func serverFault(err *refusal.ServerError) *fault {
	switch {
	case refusal.NoRoom(err):
		return failf(exitIO, "%w", err).hinted("make room on its disk, then run again")
	case errors.Is(err, fs.ErrPermission) && err.Login:
		return failf(exitDenied, "%w", err).hinted("check user, password and database of state:, and the server's pg_hba.conf; a password that is not in the URL comes from PGPASSWORD or ~/.pgpass")
	case errors.Is(err, fs.ErrPermission):
		return failf(exitDenied, "%w", err).hinted("state: needs a login that may make tables in its database, or USAGE of its schema (mailblast, unless search_path= says another) and the four rights on its tables")
	case err.Lost:
		return failf(exitPaused, "%w", err).hinted("what was sent is in the journal; run again when its server is back")
	}
	return failf(exitUnavailable, "%w", err).hinted("is the server of state: up, and does it answer from here? For one on this machine add ?sslmode=disable")
}

// nothingLeft is what to do when a journal is lost with all that could tell of it.
const nothingLeft = "restore the state directory from a backup; without one, send on a terminal: it asks whether to begin anew, and everybody gets their mail again"

// halted is what a server's refusal of us means for the user.
func halted(h *delivery.Halt) *fault {
	if h.Code/100 == 4 && (h.Stage == delivery.StageAuth || h.Stage == delivery.StageTLS) { // 454 (RFC 4954 §6, RFC 3207 §4)
		return failf(exitUnavailable, "%s cannot let us in for now: %s", h.Host, said(h)).hinted("ask whoever runs that server").tested()
	}
	switch h.Stage {
	case delivery.StageAuth:
		if h.Code == 0 { // we did not try
			return failf(exitDenied, "%s: %s", h.Host, h.Text).hinted("smtp: in the campaign").tested()
		}
		return failf(exitDenied, "%s refused the login: %s", h.Host, said(h)).hinted("check user and password").tested()
	case delivery.StageTLS:
		return failf(exitDenied, "%s: no safe TLS: %s", h.Host, said(h)).hinted("smtp: tls and ca_file in the campaign").tested()
	case delivery.StageConnect, delivery.StageResolve:
		return failf(exitUnavailable, "%s cannot be reached: %s", h.Host, said(h)).tested()
	}
	return failf(exitDenied, "%s refuses our mail: %s", h.Host, said(h)).hinted("ask whoever runs that server")
}

// passing tells of trouble that may be over in a moment.
func passing(h *delivery.Halt) bool {
	return h.Stage == delivery.StageConnect || h.Stage == delivery.StageResolve || h.Code/100 == 4
}

// said is a reply as the server gave it, or our own words.
func said(h *delivery.Halt) string {
	if h.Code == 0 {
		return h.Text
	}
	return strings.Join(strings.Fields(fmt.Sprintf("%d %s %s", h.Code, h.Enhanced, h.Text)), " ")
}
