package main

import (
	"bufio"
	"fmt"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const million = 1_000_000

// Resident memory and page tables.
func processBytes() float64 {
	file, err := os.Open("/proc/self/status")
	if err != nil {
		panic(err)
	}
	defer file.Close()
	total := 0.0
	for lines := bufio.NewScanner(file); lines.Scan(); {
		var kib float64
		if strings.HasPrefix(lines.Text(), "VmRSS:") || strings.HasPrefix(lines.Text(), "VmPTE:") {
			fmt.Sscan(lines.Text()[6:], &kib)
			total += kib * 1024
		}
	}
	return total
}

func parkedGoroutines() (string, string, map[string]float64) {
	before := processBytes()
	start := time.Now()
	gate := make(chan int)
	var started atomic.Int64
	var crowd sync.WaitGroup
	crowd.Add(million)
	for i := 0; i < million; i++ {
		go func() {
			defer crowd.Done()
			started.Add(1)
			<-gate
		}()
	}
	for started.Load() < million {
		runtime.Gosched()
	}
	parked := time.Since(start)
	bytes := processBytes() - before
	close(gate)
	crowd.Wait()
	return "go", "count:1000000", figures(bytes, parked, time.Since(start))
}

// Jobs in the queue of a worker pool whose workers are all held.
func queuedJobs() (string, string, map[string]float64) {
	p := newPool(million + 1)
	release := make(chan struct{})
	var occupied sync.WaitGroup
	for i := 0; i < runtime.GOMAXPROCS(0); i++ {
		occupied.Add(1)
		p.queue <- func() {
			occupied.Done()
			<-release
		}
	}
	occupied.Wait()
	before := processBytes()
	start := time.Now()
	var left sync.WaitGroup
	left.Add(million)
	for i := 0; i < million; i++ {
		p.queue <- func() { left.Done() }
	}
	queued := time.Since(start)
	bytes := processBytes() - before
	close(release)
	left.Wait()
	return "go_pool", "count:1000000", figures(bytes, queued, time.Since(start))
}

func figures(bytes float64, parked, whole time.Duration) map[string]float64 {
	return map[string]float64{
		"each_bytes": bytes / million,
		"park_s":     parked.Seconds(),
		"op_ns":      float64(whole.Nanoseconds()) / million,
	}
}
