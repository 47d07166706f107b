//go:build race

package delivery

// manySubmits is fewer under the race detector, which makes each several times slower.
const manySubmits = 200_000
