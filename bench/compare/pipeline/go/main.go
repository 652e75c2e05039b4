// The pipeline workload in Go: see ../spool.cpp. Channels and goroutines by hand; `cancellable` selects on ctx.Done() at each
// operation, as a pipeline that can be stopped must.
package main

import (
	"context"
	"fmt"
	"os"
	"sync"
	"time"
)

const (
	items    = 2_000_000
	capacity = 100
)

func byHand(workers int) int64 {
	in := make(chan int64, capacity)
	out := make(chan int64, capacity)
	go func() {
		defer close(in)
		for i := int64(0); i < items; i++ {
			in <- i
		}
	}()
	var stage sync.WaitGroup
	for range workers {
		stage.Add(1)
		go func() {
			defer stage.Done()
			for v := range in {
				out <- v + 1
			}
		}()
	}
	go func() {
		stage.Wait()
		close(out)
	}()
	var sum int64
	for v := range out {
		sum += v
	}
	return sum
}

func cancellable(workers int) int64 {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	in := make(chan int64, capacity)
	out := make(chan int64, capacity)
	go func() {
		defer close(in)
		for i := int64(0); i < items; i++ {
			select {
			case in <- i:
			case <-ctx.Done():
				return
			}
		}
	}()
	var stage sync.WaitGroup
	for range workers {
		stage.Add(1)
		go func() {
			defer stage.Done()
			for {
				select {
				case v, ok := <-in:
					if !ok {
						return
					}
					select {
					case out <- v + 1:
					case <-ctx.Done():
						return
					}
				case <-ctx.Done():
					return
				}
			}
		}()
	}
	go func() {
		stage.Wait()
		close(out)
	}()
	var sum int64
	for {
		select {
		case v, ok := <-out:
			if !ok {
				return sum
			}
			sum += v
		case <-ctx.Done():
			return 0
		}
	}
}

// ordered hands each item to a worker together with the channel of its result; the sink takes those in their order.
func ordered(workers int) int64 {
	type task struct {
		v      int64
		result chan int64
	}
	in := make(chan task, capacity)
	order := make(chan chan int64, capacity)
	go func() {
		defer close(in)
		defer close(order)
		for i := int64(0); i < items; i++ {
			next := task{i, make(chan int64, 1)}
			in <- next
			order <- next.result
		}
	}()
	for range workers {
		go func() {
			for next := range in {
				next.result <- next.v + 1
			}
		}()
	}
	var sum int64
	for result := range order {
		sum += <-result
	}
	return sum
}

func report(kind string, workers int, run func(int) int64) {
	start := time.Now()
	if sum := run(workers); sum != items*(items+1)/2 {
		fmt.Fprintln(os.Stderr, "pipeline: wrong sum", sum)
		os.Exit(1)
	}
	fmt.Printf(`{"row": "pipeline", "case": "%s, %d workers", "system": "go", "metrics": {"item_ns": %.1f}}`+"\n",
		kind, workers, float64(time.Since(start).Nanoseconds())/items)
}

func main() {
	for _, workers := range []int{1, 4} {
		report("unordered", workers, byHand)
		report("cancellable", workers, cancellable)
		report("ordered", workers, ordered)
	}
}
