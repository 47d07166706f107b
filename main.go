// Command mailblast sends mail-merge campaigns from the user's own database and says what became of every person.
package main

import (
	"os"

	"github.com/mailblast/mailblast/cmd"
)

func main() { os.Exit(cmd.Main()) }
