// The rows of spool_bench in Go, at GOMAXPROCS 1 and 2. usage: micro_go ROW; a row that is not there prints nothing
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"testing"
)

// One case of a row. An iteration of body is ops operations.
type benchmark struct {
	system string
	params string
	ops    int
	heavy  bool // three iterations, whatever they take
	body   func(b *testing.B)
}

var rows = map[string][]benchmark{
	"spawn_join":       {{ops: 1, body: spawnJoin}},
	"spawn_1000":       {{ops: crowd, body: spawn1000}},
	"yield":            {{ops: yielders * yieldsEach, body: yield}},
	"yield_alone":      {{ops: 1, body: yieldAlone}},
	"ring":             {{ops: laps * (crowd + 1), body: ring}},
	"skynet":           {{ops: skynetFibers, heavy: true, body: skynet}},
	"sleepers_100k":    {{ops: sleepers, heavy: true, body: sleepers100k}},
	"pingpong":         {{ops: 1, body: pingpong}},
	"rendezvous":       {{ops: batch, body: stream(0)}},
	"buffered":         {buffered(1), buffered(100), buffered(1000)},
	"send_recv":        {{ops: 1, body: sendRecv}},
	"mpmc":             {mpmc(4), mpmc(100)},
	"try_send_full":    {{ops: 1, body: trySendFull}},
	"try_recv_empty":   {{ops: 1, body: tryRecvEmpty}},
	"mpmc_work":        {mpmcWork(1), mpmcWork(10)},
	"buffered_work":    {bufferedWork(1), bufferedWork(10)},
	"select_ready":     {{ops: 1, body: selectReady}},
	"select_contended": {{ops: selectMessages, body: selectContended}},
	"mutex_short":      {{ops: locks, body: mutexRow(func() {})}},
	"mutex_held":       {{ops: locks, body: mutexRow(runtime.Gosched)}},
	"worker_select":    {{ops: jobs, body: workerSelect}},
	"submit_outside":   {{ops: jobs, body: submitGo}, {system: "go_pool", ops: jobs, body: submitPoolOutside}},
	"submit_inside":    {{ops: jobs, body: submitGoInside}, {system: "go_pool", ops: jobs, body: submitPoolInside}},
}

var memoryRows = map[string]func() (system, params string, metrics map[string]float64){
	"parked_fibers": parkedGoroutines,
	"queued_jobs":   queuedJobs,
}

func main() {
	testing.Init()
	flag.Parse()
	name := flag.Arg(0)
	if measure, ok := memoryRows[name]; ok {
		memoryRow(name, flag.Arg(1), measure)
		return
	}
	cases := rows[name] // none: there is no such row in Go
	for threads := 1; threads <= 2; threads++ {
		runtime.GOMAXPROCS(threads)
		for _, c := range cases {
			if c.system == "go_pool" && name == "submit_inside" && threads == 1 {
				continue // its only worker would wait for room in its own queue
			}
			if c.heavy {
				flag.Set("test.benchtime", "3x")
			} else {
				flag.Set("test.benchtime", "200ms")
			}
			result := testing.Benchmark(c.body)
			perOp := float64(result.T.Nanoseconds()) / float64(result.N) / float64(c.ops)
			system := c.system
			if system == "" {
				system = "go"
			}
			emit(name, threads, c.params, system, map[string]float64{"op_ns": perOp})
		}
	}
}

// A process measures memory once: what a first case freed would be reused by the second. Hence a child for each.
func memoryRow(name, threads string, measure func() (string, string, map[string]float64)) {
	if threads == "" {
		for _, threads := range []string{"1", "2"} {
			child := exec.Command("/proc/self/exe", name, threads)
			child.Stdout, child.Stderr = os.Stdout, os.Stderr
			if child.Run() != nil {
				os.Exit(1)
			}
		}
		return
	}
	n, err := strconv.Atoi(threads)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	runtime.GOMAXPROCS(n)
	system, params, metrics := measure()
	emit(name, n, params, system, metrics)
}

func emit(row string, threads int, params, system string, metrics map[string]float64) {
	label := fmt.Sprintf("threads:%d", threads)
	if params != "" {
		label += " " + params
	}
	line := map[string]any{"row": row, "case": label, "system": system, "metrics": metrics}
	if err := json.NewEncoder(os.Stdout).Encode(line); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
