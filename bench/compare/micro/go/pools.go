package main

import (
	"context"
	"runtime"
	"sync"
	"testing"
)

const (
	jobs          = 20_000
	queueCapacity = 100
	selectWorkers = 4
)

// The worker pool of Go: a channel of functions and one goroutine for each CPU.
type pool struct {
	queue   chan func()
	workers sync.WaitGroup
}

func newPool(capacity int) *pool {
	p := &pool{queue: make(chan func(), capacity)}
	for i := 0; i < runtime.GOMAXPROCS(0); i++ {
		p.workers.Add(1)
		go func() {
			defer p.workers.Done()
			for job := range p.queue {
				job()
			}
		}()
	}
	return p
}

func (p *pool) stop() {
	close(p.queue)
	p.workers.Wait()
}

func submitGo(b *testing.B) {
	for i := 0; i < b.N; i++ {
		var left sync.WaitGroup
		left.Add(jobs)
		for k := 0; k < jobs; k++ {
			go func() { left.Done() }()
		}
		left.Wait()
	}
}

func submitGoInside(b *testing.B) {
	for i := 0; i < b.N; i++ {
		var left sync.WaitGroup
		left.Add(jobs)
		go func() {
			for k := 0; k+1 < jobs; k++ {
				go func() { left.Done() }()
			}
			left.Done()
		}()
		left.Wait()
	}
}

func submitPoolOutside(b *testing.B) {
	p := newPool(queueCapacity)
	defer p.stop()
	b.ResetTimer()
	for i := 0; i < b.N; i++ {
		var left sync.WaitGroup
		left.Add(jobs)
		for k := 0; k < jobs; k++ {
			p.queue <- func() { left.Done() }
		}
		left.Wait()
	}
	b.StopTimer()
}

func submitPoolInside(b *testing.B) {
	p := newPool(queueCapacity)
	defer p.stop()
	b.ResetTimer()
	for i := 0; i < b.N; i++ {
		var left sync.WaitGroup
		left.Add(jobs)
		p.queue <- func() {
			for k := 0; k+1 < jobs; k++ {
				p.queue <- func() { left.Done() }
			}
			left.Done()
		}
		left.Wait()
	}
	b.StopTimer()
}

func worker(ctx context.Context, in <-chan int, out chan<- int) {
	for {
		select {
		case job, ok := <-in:
			if !ok {
				return
			}
			select {
			case out <- job * 2:
			case <-ctx.Done():
				return
			}
		case <-ctx.Done():
			return
		}
	}
}

func workerSelect(b *testing.B) {
	for i := 0; i < b.N; i++ {
		ctx, cancel := context.WithCancel(context.Background())
		in, out := make(chan int, queueCapacity), make(chan int, queueCapacity)
		var crew sync.WaitGroup
		crew.Add(selectWorkers + 1)
		for k := 0; k < selectWorkers; k++ {
			go func() {
				defer crew.Done()
				worker(ctx, in, out)
			}()
		}
		go func() {
			defer crew.Done()
			for k := 0; k < jobs; k++ {
				in <- 1
			}
		}()
		sum := 0
		for k := 0; k < jobs; k++ {
			sum += <-out
		}
		if sum != 2*jobs {
			panic("lost a job")
		}
		cancel()
		crew.Wait()
	}
}
