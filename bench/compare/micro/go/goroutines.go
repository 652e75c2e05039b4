package main

import (
	"runtime"
	"sync"
	"testing"
	"time"
)

const (
	crowd        = 1000
	yielders     = 8
	yieldsEach   = 1000
	laps         = 10
	skynetLeaves = 1_000_000
	skynetSum    = skynetLeaves * (skynetLeaves - 1) / 2
	skynetFibers = 1_111_111
	sleepers     = 100_000
	lockers      = 8
	locksEach    = 1000
	locks        = lockers * locksEach
)

func spawnJoin(b *testing.B) {
	for i := 0; i < b.N; i++ {
		var group sync.WaitGroup
		group.Add(1)
		go func() { group.Done() }()
		group.Wait()
	}
}

func spawn1000(b *testing.B) {
	for i := 0; i < b.N; i++ {
		var group sync.WaitGroup
		group.Add(crowd)
		for k := 0; k < crowd; k++ {
			go func() { group.Done() }()
		}
		group.Wait()
	}
}

func yield(b *testing.B) {
	for i := 0; i < b.N; i++ {
		var group sync.WaitGroup
		group.Add(yielders)
		for k := 0; k < yielders; k++ {
			go func() {
				defer group.Done()
				for n := 0; n < yieldsEach; n++ {
					runtime.Gosched()
				}
			}()
		}
		group.Wait()
	}
}

func yieldAlone(b *testing.B) {
	for i := 0; i < b.N; i++ {
		runtime.Gosched()
	}
}

func ring(b *testing.B) {
	first := make(chan int)
	in := first
	var members sync.WaitGroup
	members.Add(crowd)
	for i := 0; i < crowd; i++ {
		out := make(chan int)
		go func(in <-chan int, out chan<- int) {
			defer members.Done()
			defer close(out)
			for token := range in {
				out <- token
			}
		}(in, out)
		in = out
	}
	b.ResetTimer()
	for i := 0; i < b.N; i++ {
		for lap := 0; lap < laps; lap++ {
			first <- lap
			<-in
		}
	}
	b.StopTimer()
	close(first)
	members.Wait()
}

func skynetNode(up chan<- uint64, first, size uint64) {
	if size == 1 {
		up <- first
		return
	}
	sums := make(chan uint64)
	for i := uint64(0); i < 10; i++ {
		go skynetNode(sums, first+i*(size/10), size/10)
	}
	var sum uint64
	for i := 0; i < 10; i++ {
		sum += <-sums
	}
	up <- sum
}

func skynet(b *testing.B) {
	for i := 0; i < b.N; i++ {
		top := make(chan uint64)
		go skynetNode(top, 0, skynetLeaves)
		if <-top != skynetSum {
			panic("wrong sum")
		}
	}
}

func sleepers100k(b *testing.B) {
	for i := 0; i < b.N; i++ {
		var group sync.WaitGroup
		group.Add(sleepers)
		for k := 0; k < sleepers; k++ {
			go func(nap time.Duration) {
				defer group.Done()
				time.Sleep(nap)
			}(time.Duration(1+k%100) * time.Millisecond)
		}
		group.Wait()
	}
}

func mutexRow(whileHeld func()) func(b *testing.B) {
	return func(b *testing.B) {
		var mutex sync.Mutex
		counter := 0
		for i := 0; i < b.N; i++ {
			var group sync.WaitGroup
			group.Add(lockers)
			for k := 0; k < lockers; k++ {
				go func() {
					defer group.Done()
					for n := 0; n < locksEach; n++ {
						mutex.Lock()
						counter++
						whileHeld()
						mutex.Unlock()
					}
				}()
			}
			group.Wait()
		}
		if counter != b.N*locks {
			panic("lost an increment")
		}
	}
}
