package main

import (
	"sync"
	"time"
)

var sink uint64

// spin computes for a time that depends on rounds alone: the same xorshift steps as in bench/support/work.hpp.
//
//go:noinline
func spin(rounds int) {
	x := uint64(rounds) | 1
	for i := 0; i < rounds; i++ {
		x ^= x << 13
		x ^= x >> 7
		x ^= x << 17
	}
	if x == 0 { // never: the loop has to be computed
		sink++
	}
}

var roundsPerMicrosecond = sync.OnceValue(func() float64 {
	const trial = 1_000_000
	best := time.Hour
	for i := 0; i < 10; i++ {
		start := time.Now()
		spin(trial)
		best = min(best, time.Since(start))
	}
	return trial / (float64(best.Nanoseconds()) / 1000)
})

func roundsIn(d time.Duration) int {
	return int(roundsPerMicrosecond() * float64(d.Nanoseconds()) / 1000)
}
