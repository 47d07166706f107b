// Package templates holds the starter campaigns that `mailblast init` writes: one folder each.
package templates

import "embed"

// FS has one folder for each starter campaign, named after it.
//
//go:embed newsletter postgres notice
var FS embed.FS
