//go:build race

package campaign

// The race detector makes everything about ten times slower.
const slower = 10
