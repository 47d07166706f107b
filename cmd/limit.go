package cmd

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"syscall"

	"github.com/mailblast/mailblast/cmd/campaign"
)

// ownFiles is what is kept free of connections: some twenty files of journal, list, spill and lock, and room for attachments.
const ownFiles = 32

// What is needed beside the files that are open at the start, or else it ends somewhere in the middle, by what looks like another
// fault: SQLite says of a file that it cannot be opened, and a server of ours takes no connection.
const (
	leastFiles   = 14 // a send over one connection
	captureFiles = 8  // the built-in server: two sockets to listen at, and its end of a connection, the letter, and where it is kept
)

// afford has the campaign ask for no more connections than this process may have files. On the way to a mail exchanger, a lookup may
// have two sockets of its own; to the built-in server, either end of a connection is ours, and so is the letter.
func (e *env) afford(c *campaign.Campaign, o sendOptions, log *slog.Logger) error {
	each, least := 1, leastFiles+1
	switch {
	case rehearsal(c, o):
		each, least = 3, leastFiles+captureFiles+3*len(c.Queues)
	case c.Delivery == "direct":
		each, least = 3, leastFiles+3
	}
	if err := e.scarce(least); err != nil || e.files <= 0 {
		return err
	}
	most := max((e.files-ownFiles)/each, len(c.Queues)+1, 1)
	if most >= c.Connections {
		return nil
	}
	log.Warn(fmt.Sprintf("this process may have no more than %d files open: %s at most, not %d; more with: ulimit -n", e.files, plural(most, "connection"), c.Connections))
	c.Connections = most
	return nil
}

// scarce is the error that not even n more files may be open at once; nil: they may, or nobody knows.
func (e *env) scarce(n int) error {
	if e.openable == nil {
		return nil
	}
	switch err := e.openable(n); {
	case errors.Is(err, syscall.EMFILE) && e.files > 0:
		return failf(exitIO, "too many open files: this process may have no more than %d open at once, which is too low a limit", e.files).hinted(moreFiles)
	case fewFiles(err):
		return failf(exitIO, "%w", err).hinted(moreFiles)
	}
	return nil
}

// openable tries to have n more files open at once.
func openable(n int) (err error) {
	var files []*os.File
	for range n {
		f, failed := os.Open(os.DevNull)
		if failed != nil {
			err = failed
			break
		}
		files = append(files, f)
	}
	for _, f := range files {
		err = errors.Join(err, f.Close())
	}
	return err
}

const moreFiles = "allow this process more open files: ulimit -n 1024"

// fewFiles tells of an error that there are no more files to be had, whichever it was that could not be opened.
func fewFiles(err error) bool {
	return errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE)
}
