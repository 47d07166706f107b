//go:build !race

package journal

// racing tells that the race detector is on, with which SQLite takes ten times as long.
const racing = false
