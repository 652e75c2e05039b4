package main

import (
	"fmt"
	"sync"
	"testing"
	"time"
)

const (
	batch          = 10_000
	mpmcMessages   = 100_000
	mpmcCapacity   = 100
	workMessages   = 10_000
	selectMessages = 10_000
	pairs          = 2
)

func pingpong(b *testing.B) {
	there, back := make(chan int), make(chan int)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for value := range there {
			back <- value
		}
	}()
	b.ResetTimer()
	for i := 0; i < b.N; i++ {
		there <- 1
		<-back
	}
	b.StopTimer()
	close(there)
	<-done
}

func stream(capacity int) func(b *testing.B) {
	return func(b *testing.B) {
		messages := make(chan int, capacity)
		go func() {
			for i := 0; i < b.N*batch; i++ {
				messages <- i
			}
		}()
		b.ResetTimer()
		for i := 0; i < b.N; i++ {
			for k := 0; k < batch; k++ {
				<-messages
			}
		}
	}
}

func buffered(capacity int) benchmark {
	return benchmark{params: fmt.Sprintf("capacity:%d", capacity), ops: batch, body: stream(capacity)}
}

func sendRecv(b *testing.B) {
	buffer := make(chan int, 100)
	for i := 0; i < b.N; i++ {
		buffer <- 1
		<-buffer
	}
}

func mpmc(side int) benchmark {
	return benchmark{params: fmt.Sprintf("side:%d", side), ops: mpmcMessages, body: func(b *testing.B) {
		for i := 0; i < b.N; i++ {
			manyToMany(side, mpmcMessages, func() {})
		}
	}}
}

func manyToMany(side, messages int, work func()) {
	shared := make(chan int, mpmcCapacity)
	var producers, consumers sync.WaitGroup
	producers.Add(side)
	consumers.Add(side)
	for i := 0; i < side; i++ {
		go func() {
			defer consumers.Done()
			for range shared {
				work()
			}
		}()
		go func() {
			defer producers.Done()
			for k := 0; k < messages/side; k++ {
				shared <- 1
			}
		}()
	}
	producers.Wait()
	close(shared)
	consumers.Wait()
}

func trySendFull(b *testing.B) {
	full := make(chan int, 1)
	full <- 1
	for i := 0; i < b.N; i++ {
		select {
		case full <- 2:
		default:
		}
	}
}

func tryRecvEmpty(b *testing.B) {
	empty := make(chan int, 1)
	for i := 0; i < b.N; i++ {
		select {
		case <-empty:
		default:
		}
	}
}

// ---- messages that take work: the consumer's, and with one producer the producer's, too ----

func mpmcWork(us int) benchmark {
	return benchmark{params: fmt.Sprintf("us:%d", us), ops: workMessages, body: func(b *testing.B) {
		rounds := roundsIn(time.Duration(us) * time.Microsecond)
		b.ResetTimer()
		for i := 0; i < b.N; i++ {
			manyToMany(4, workMessages, func() { spin(rounds) })
		}
	}}
}

func bufferedWork(us int) benchmark {
	return benchmark{params: fmt.Sprintf("us:%d", us), ops: workMessages, body: func(b *testing.B) {
		rounds := roundsIn(time.Duration(us) * time.Microsecond)
		messages := make(chan int, 100)
		go func() {
			for i := 0; i < b.N*workMessages; i++ {
				spin(rounds)
				messages <- i
			}
		}()
		b.ResetTimer()
		for i := 0; i < b.N*workMessages; i++ {
			<-messages
			spin(rounds)
		}
	}}
}

// ---- select ----

func selectReady(b *testing.B) {
	x, y := make(chan int, 1), make(chan int, 1)
	sum := 0
	for i := 0; i < b.N; i++ {
		if i%2 == 0 {
			x <- 1
		} else {
			y <- 1
		}
		select {
		case v := <-x:
			sum += v
		case v := <-y:
			sum -= v
		}
	}
}

func selectContended(b *testing.B) {
	x, y := make(chan int), make(chan int)
	for i := 0; i < b.N; i++ {
		var group sync.WaitGroup
		group.Add(2 * pairs)
		for p := 0; p < pairs; p++ {
			go func() {
				defer group.Done()
				for k := 0; k < selectMessages/pairs; k++ {
					select {
					case x <- 1:
					case y <- 2:
					}
				}
			}()
			go func() {
				defer group.Done()
				sum := 0
				for k := 0; k < selectMessages/pairs; k++ {
					select {
					case v := <-x:
						sum += v
					case v := <-y:
						sum -= v
					}
				}
			}()
		}
		group.Wait()
	}
}
