// The waiting_tasks workload in Go: see ../spool.cpp. A goroutine per task.
package main

import (
	"bufio"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

const (
	wait  = 50 * time.Millisecond
	waits = 20
)

func statusKib(wanted string) float64 {
	file, err := os.Open("/proc/self/status")
	if err != nil {
		return 0
	}
	defer file.Close()
	for lines := bufio.NewScanner(file); lines.Scan(); {
		if fields := strings.Fields(lines.Text()); len(fields) > 1 && fields[0] == wanted {
			kib, _ := strconv.ParseFloat(fields[1], 64)
			return kib
		}
	}
	return 0
}

func cpuSeconds() float64 {
	var usage syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &usage)
	seconds := func(t syscall.Timeval) float64 { return float64(t.Sec) + float64(t.Usec)*1e-6 }
	return seconds(usage.Utime) + seconds(usage.Stime)
}

// runTasks returns how much longer than asked all waits took together.
func runTasks(tasks int, reply bool) int64 {
	var late atomic.Int64
	var all sync.WaitGroup
	for range tasks {
		all.Add(1)
		go func() {
			defer all.Done()
			start := time.Now()
			for range waits {
				if reply {
					<-time.After(wait)
				} else {
					time.Sleep(wait)
				}
			}
			late.Add(int64(time.Since(start) - waits*wait))
		}()
	}
	all.Wait()
	return late.Load()
}

func main() {
	tasks, way := 0, ""
	if len(os.Args) == 3 {
		tasks, _ = strconv.Atoi(os.Args[1])
		way = os.Args[2]
	}
	if tasks <= 0 || (way != "sleep" && way != "reply") {
		fmt.Fprintf(os.Stderr, "usage: %s TASKS sleep|reply\n", os.Args[0])
		os.Exit(1)
	}
	beforeKib := statusKib("VmRSS:")
	cpu := cpuSeconds()
	start := time.Now()
	late := runTasks(tasks, way == "reply")
	seconds := time.Since(start).Seconds()
	count := float64(tasks)
	fmt.Printf(`{"row": "waiting_tasks", "case": "%d %s", "system": "go", "metrics": {"total_s": %.3f, `+
		`"waits_per_s": %.0f, "cpu_per_wait_ns": %.0f, "late_us": %.0f, "per_task_bytes": %.0f, "peak_mib": %.1f}}`+"\n",
		tasks, way, seconds, count*waits/seconds, (cpuSeconds()-cpu)*1e9/(count*waits), float64(late)/(count*waits*1000),
		(statusKib("VmHWM:")-beforeKib)*1024/count, statusKib("VmHWM:")/1024)
}
