// The ingest workload in Go: see ../spool.cpp. The same stages and blocks; keys are views of the block's text there and here.
package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"
	"unsafe"
)

const (
	blockBytes     = 1024 * 1024
	blocksInFlight = 8
	parsers        = 2
)

type sum struct{ count, total uint64 }

type block struct {
	text  []byte
	size  int // whole lines
	found map[string]*sum
	used  []sum // what found points to
}

func readBlocks(file *os.File, empty <-chan *block, full chan<- *block) error {
	defer close(full)
	var rest []byte
	for next := range empty {
		held := copy(next.text, rest)
		got, err := file.Read(next.text[held:])
		if err == io.EOF {
			break
		} else if err != nil {
			return err
		}
		held += got
		last := bytes.LastIndexByte(next.text[:held], '\n')
		if last < 0 {
			return errors.New("a line is longer than a block")
		}
		next.size = last + 1
		rest = append(rest[:0], next.text[next.size:held]...)
		full <- next
	}
	if len(rest) > 0 {
		return errors.New("the last line has no end")
	}
	return nil
}

func parse(b *block) error {
	clear(b.found)
	b.used = b.used[:0]
	text := b.text[:b.size]
	for len(text) > 0 {
		comma := bytes.IndexByte(text, ',')
		if comma < 0 {
			return errors.New("a line without a comma")
		}
		at := comma + 1
		var value uint64
		for ; at < len(text) && text[at]-'0' <= 9; at++ {
			value = value*10 + uint64(text[at]-'0')
		}
		if at == comma+1 || at == len(text) || text[at] != '\n' {
			return errors.New("not a number")
		}
		key := unsafe.String(unsafe.SliceData(text), comma)
		of := b.found[key]
		if of == nil {
			if len(b.used) == cap(b.used) {
				return errors.New("too many keys")
			}
			b.used = append(b.used, sum{})
			of = &b.used[len(b.used)-1]
			b.found[key] = of
		}
		of.count++
		of.total += value
		text = text[at+1:]
	}
	return nil
}

func aggregate(file *os.File) (map[string]*sum, error) {
	empty := make(chan *block, blocksInFlight)
	full := make(chan *block, blocksInFlight)
	parsed := make(chan *block, blocksInFlight)
	for range blocksInFlight {
		empty <- &block{text: make([]byte, blockBytes), found: map[string]*sum{}, used: make([]sum, 0, 1<<16)}
	}
	var once sync.Once
	var failure error
	fail := func(err error) {
		if err != nil {
			once.Do(func() { failure = err })
		}
	}
	go func() { fail(readBlocks(file, empty, full)) }()
	var parsing sync.WaitGroup
	for range parsers {
		parsing.Add(1)
		go func() {
			defer parsing.Done()
			for next := range full {
				if err := parse(next); err != nil {
					fail(err)
					return
				}
				parsed <- next
			}
		}()
	}
	go func() {
		parsing.Wait()
		close(parsed)
	}()
	all := map[string]*sum{}
	for next := range parsed {
		for key, found := range next.found {
			to := all[key]
			if to == nil {
				to = new(sum)
				all[string([]byte(key))] = to
			}
			to.count += found.count
			to.total += found.total
		}
		empty <- next
	}
	return all, failure
}

func report(path string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	about, err := file.Stat()
	if err != nil {
		return err
	}
	start := time.Now()
	all, err := aggregate(file)
	if err != nil {
		return err
	}
	seconds := time.Since(start).Seconds()
	var whole sum
	for _, found := range all {
		whole.count += found.count
		whole.total += found.total
	}
	fmt.Printf(`{"row": "ingest", "case": "", "system": "go", "metrics": {"gb_per_s": %.3f, "lines_per_s": %.0f, `+
		`"keys": %d, "lines": %d, "total": %d}}`+"\n",
		float64(about.Size())/seconds/1e9, float64(whole.count)/seconds, len(all), whole.count, whole.total)
	return nil
}

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: FILE")
		os.Exit(1)
	}
	if err := report(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "ingest:", err)
		os.Exit(1)
	}
}
