// Jobs for two goroutines that take functions from a channel ("go"), and for a goroutine each ("go_each"); measured as in
// ../driver.hpp.
package main

import (
	"fmt"
	"os"
	"runtime"
	"sync"
	"time"
)

const (
	workers    = 2
	smallQueue = 100
	largeQueue = 1_000_000
)

var rows = map[string]struct {
	work time.Duration
	jobs int
}{
	"job_empty": {0, 200_000},
	"job_1us":   {time.Microsecond, 100_000},
	"job_10us":  {10 * time.Microsecond, 20_000},
	"job_100us": {100 * time.Microsecond, 4_000},
}

// run returns nanoseconds per job. from: goroutines that hand jobs over; 0: a job does.
func run(post func(job func()), from, count, rounds int) float64 {
	var left sync.WaitGroup
	left.Add(count)
	job := func() {
		spin(rounds)
		left.Done()
	}
	begin := time.Now()
	if from == 0 {
		post(func() {
			for i := 0; i < count-1; i++ {
				post(job)
			}
			left.Done()
		})
	}
	for t := 0; t < from; t++ {
		submit := func() {
			for i := 0; i < count/from; i++ {
				post(job)
			}
		}
		if t == from-1 {
			submit()
		} else {
			go submit()
		}
	}
	left.Wait()
	return float64(time.Since(begin).Nanoseconds()) / float64(count)
}

func measure(row, system, queue string, post func(job func()), jobs, rounds int) {
	for _, from := range []int{1, 4, 0} {
		run(post, from, jobs/10, rounds)
		jobNs := run(post, from, jobs, rounds)
		who := map[int]string{0: "inside", 1: "1 thread", 4: "4 threads"}[from]
		fmt.Printf("{\"row\": %q, \"case\": \"from %s, queue %s\", \"system\": %q, \"metrics\": {\"job_ns\": %.2f}}\n",
			row, who, queue, system, jobNs)
	}
}

func measurePool(row, name string, capacity, jobs, rounds int) {
	queue := make(chan func(), capacity)
	var crew sync.WaitGroup
	for i := 0; i < workers; i++ {
		crew.Add(1)
		go func() {
			defer crew.Done()
			for job := range queue {
				job()
			}
		}()
	}
	measure(row, "go", name, func(job func()) { queue <- job }, jobs, rounds)
	close(queue)
	crew.Wait()
}

func main() {
	runtime.GOMAXPROCS(workers)
	if len(os.Args) != 2 || rows[os.Args[1]].jobs == 0 {
		fmt.Fprintln(os.Stderr, "usage: jobs_go job_empty|job_1us|job_10us|job_100us")
		os.Exit(1)
	}
	row := os.Args[1]
	rounds := roundsIn(rows[row].work)
	measurePool(row, "100", smallQueue, rows[row].jobs, rounds)
	measurePool(row, "1M", largeQueue, rows[row].jobs, rounds)
	measure(row, "go_each", "1M", func(job func()) { go job() }, rows[row].jobs, rounds)
}
