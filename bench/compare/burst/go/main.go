// The burst workload in Go: see ../spool.cpp. A pool of goroutines over a bounded channel; select with default rejects.
package main

import (
	"fmt"
	"math"
	"os"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

const (
	workers       = 64
	queueCapacity = 128
	answerAfter   = 10 * time.Millisecond
	tick          = time.Millisecond
	window        = 50 * time.Millisecond
	mostAccepted  = 100_000
)

type job struct{ due, took time.Duration }

type step struct {
	name              string
	load              float64
	offered, rejected uint64
	residentMib       float64
	accepted          []job
}

type pool struct {
	jobs      chan func()
	ended     sync.WaitGroup
	completed atomic.Uint64
}

func newPool() *pool {
	p := &pool{jobs: make(chan func(), queueCapacity)}
	for range workers {
		p.ended.Add(1)
		go func() {
			defer p.ended.Done()
			for f := range p.jobs {
				f()
				p.completed.Add(1)
			}
		}()
	}
	return p
}

func (p *pool) tryPost(f func()) bool {
	select {
	case p.jobs <- f:
		return true
	default:
		return false
	}
}

func residentMib() float64 {
	var total, resident float64
	text, _ := os.ReadFile("/proc/self/statm")
	fmt.Sscan(string(text), &total, &resident)
	return resident * float64(os.Getpagesize()) / (1024 * 1024)
}

func percentileMs(sample []time.Duration, part float64) float64 {
	if len(sample) == 0 {
		return 0
	}
	slices.Sort(sample)
	return float64(sample[int(part*float64(len(sample)-1))]) / 1e6
}

func latencies(s *step, from, to time.Duration) (found []time.Duration) {
	for _, j := range s.accepted {
		if j.due >= from && j.due < to {
			found = append(found, j.took)
		}
	}
	return found
}

func measuredCapacity(p *pool) (canDo float64, accepted uint64) {
	start := time.Now()
	for ; time.Since(start) < 500*time.Millisecond; accepted++ {
		p.jobs <- func() { time.Sleep(answerAfter) }
	}
	return float64(p.completed.Load()) / time.Since(start).Seconds(), accepted
}

func offer(s *step, p *pool, perSecond float64, length time.Duration) {
	start := time.Now()
	jobs := uint64(perSecond * length.Seconds())
	taken := 0
	for s.offered < jobs {
		now := time.Since(start)
		for ; s.offered < jobs; s.offered++ {
			due := time.Duration(float64(s.offered) * 1e9 / perSecond)
			if due > now {
				break
			}
			place := &s.accepted[taken]
			place.due = due
			if p.tryPost(func() {
				time.Sleep(answerAfter)
				place.took = time.Since(start) - place.due
			}) {
				taken++
			} else {
				s.rejected++
			}
		}
		time.Sleep(tick)
	}
	s.residentMib = residentMib()
	time.Sleep(time.Until(start.Add(length)))
}

func recoveryMs(before, after *step, length time.Duration) float64 {
	bound := 1.5 * percentileMs(latencies(before, 0, length), 0.99)
	for at := time.Duration(0); at < length; at += window {
		sample := latencies(after, at, at+window)
		if len(sample) > 0 && percentileMs(sample, 0.99) <= bound {
			return float64(at) / 1e6
		}
	}
	return float64(length) / 1e6
}

func main() {
	length := time.Second
	if len(os.Args) > 1 {
		milliseconds, err := strconv.Atoi(os.Args[1])
		if err != nil {
			fmt.Fprintln(os.Stderr, "usage: [MILLISECONDS of each step]")
			os.Exit(1)
		}
		length = time.Duration(milliseconds) * time.Millisecond
	}
	p := newPool()
	canDo, accepted := measuredCapacity(p)
	steps := []*step{{name: "0.8x before", load: 0.8}, {name: "10x", load: 10}, {name: "100x", load: 100}, {name: "0.8x after", load: 0.8}}
	for _, s := range steps {
		s.accepted = make([]job, mostAccepted)
		for i := range s.accepted {
			s.accepted[i].due = math.MaxInt64 // touched now
		}
	}
	time.Sleep(100 * time.Millisecond)
	for _, s := range steps {
		offer(s, p, s.load*canDo, length)
		accepted += s.offered - s.rejected
	}
	close(p.jobs)
	p.ended.Wait()
	if p.completed.Load() != accepted {
		fmt.Fprintln(os.Stderr, "burst: jobs were lost")
		os.Exit(1)
	}
	for _, s := range steps {
		s.accepted = s.accepted[:s.offered-s.rejected]
		all := latencies(s, 0, length)
		fmt.Printf(`{"row": "burst", "case": "%s", "system": "go", "metrics": {"offered_per_s": %.0f, `+
			`"accepted_per_s": %.0f, "p50_ms": %.2f, "p99_ms": %.2f, "resident_mib": %.2f}}`+"\n",
			s.name, float64(s.offered)/length.Seconds(), float64(len(s.accepted))/length.Seconds(),
			percentileMs(all, 0.5), percentileMs(all, 0.99), s.residentMib)
	}
	fmt.Printf(`{"row": "burst", "case": "recovery", "system": "go", "metrics": {"back_within_ms": %.0f}}`+"\n",
		recoveryMs(steps[0], steps[len(steps)-1], length))
}
