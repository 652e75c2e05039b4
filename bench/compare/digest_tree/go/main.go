// examples/digest_tree in Go: a walk in the final order, jobs of 16 files, one goroutine per CPU that hashes, output in order.
// crypto/sha256 uses the SHA extensions of the CPU where it has them (sha256block_amd64.s, as libcrypto does on the other side).
package main

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"os"
	"runtime"
	"slices"
	"strings"
)

const (
	filesPerJob      = 16
	queuedJobs       = 64
	mostFinishedJobs = 1024
	bufferBytes      = 64 * 1024
)

type job struct {
	paths  []string
	report chan report // for one report, so that the worker never waits
}

type report struct{ lines, complaints []byte }

// walk calls found for every regular file, in the order of the whole paths' bytes: a directory's name sorts with the slash that
// follows it.
func walk(dir string, found func(path string), failed func(err error)) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		failed(err)
	}
	key := func(e fs.DirEntry) string {
		if e.IsDir() {
			return e.Name() + "/"
		}
		return e.Name()
	}
	slices.SortFunc(entries, func(a, b fs.DirEntry) int { return strings.Compare(key(a), key(b)) })
	for _, e := range entries {
		switch path := dir + "/" + e.Name(); {
		case e.IsDir():
			walk(path, found, failed)
		case e.Type().IsRegular():
			found(path)
		}
	}
}

var escape = strings.NewReplacer("\\", "\\\\", "\n", "\\n", "\r", "\\r")

func digest(path string, buffer []byte, into *report) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	hash := sha256.New()
	for {
		got, err := file.Read(buffer)
		hash.Write(buffer[:got])
		if err == io.EOF {
			break
		} else if err != nil {
			return err
		}
	}
	if strings.ContainsAny(path, "\\\n\r") {
		into.lines = append(into.lines, '\\')
		path = escape.Replace(path)
	}
	var sum [sha256.Size]byte
	into.lines = hex.AppendEncode(into.lines, hash.Sum(sum[:0]))
	into.lines = append(into.lines, ' ', ' ')
	into.lines = append(into.lines, path...)
	into.lines = append(into.lines, '\n')
	return nil
}

func work(jobs <-chan job) {
	buffer := make([]byte, bufferBytes)
	for next := range jobs {
		var done report
		for _, path := range next.paths {
			if err := digest(path, buffer, &done); err != nil {
				done.complaints = append(done.complaints, fmt.Sprintf("digest_tree: %v\n", err)...)
			}
		}
		next.report <- done
	}
}

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: DIR")
		os.Exit(2)
	}
	jobs := make(chan job, queuedJobs)
	order := make(chan chan report, mostFinishedJobs)
	for range runtime.GOMAXPROCS(0) {
		go work(jobs)
	}
	go func() {
		var paths []string
		handOver := func() {
			next := job{paths, make(chan report, 1)}
			jobs <- next
			order <- next.report
			paths = nil
		}
		walk(os.Args[1], func(path string) {
			if paths = append(paths, path); len(paths) == filesPerJob {
				handOver()
			}
		}, func(err error) {
			failed := make(chan report, 1)
			failed <- report{complaints: []byte(fmt.Sprintf("digest_tree: %v\n", err))}
			order <- failed
		})
		if len(paths) > 0 {
			handOver()
		}
		close(jobs)
		close(order)
	}()
	out := bufio.NewWriterSize(os.Stdout, 64*1024)
	status := 0
	for one := range order {
		next := <-one
		out.Write(next.lines)
		if len(next.complaints) > 0 {
			os.Stderr.Write(next.complaints)
			status = 1
		}
	}
	if err := out.Flush(); err != nil {
		fmt.Fprintln(os.Stderr, "digest_tree:", err)
		status = 1
	}
	os.Exit(status)
}
