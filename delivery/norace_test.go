//go:build !race

package delivery

// manySubmits is how many Submits must return while nothing is sent.
const manySubmits = 1_000_000
