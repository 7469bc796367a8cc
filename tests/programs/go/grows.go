// Grows when SIGUSR1 comes: a cache, goroutines that nobody ever wakes, and others.
//
// SPDX-License-Identifier: GPL-3.0-or-later
package main

import (
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"runtime/pprof"
	"syscall"
	"time"
)

var (
	cache [][]byte
	gate  = make(chan int)
)

//go:noinline
func fillCache(count int) {
	for i := 0; i < count; i++ {
		cache = append(cache, make([]byte, 10000))
	}
}

func forgotten() {
	lost := make(chan int)
	kept := make([]byte, 100000)
	<-lost
	runtime.KeepAlive(kept)
}

func waiting() { <-gate }

func grow(cached, lost, waits int) {
	fillCache(cached)
	for i := 0; i < lost; i++ {
		go forgotten()
	}
	for i := 0; i < waits; i++ {
		go waiting()
	}
	time.Sleep(300 * time.Millisecond)
	runtime.GC()
	runtime.GC()
}

func main() {
	runtime.MemProfileRate = 1
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGUSR1)
	if len(os.Args) > 1 {
		pprof.WriteHeapProfile(os.Stdout)
	}
	grow(100, 3, 2)
	fmt.Println(`{"ready":true}`)
	<-signals
	grow(900, 20, 5)
	fmt.Println(`{"grown":true}`)
	for {
		time.Sleep(time.Hour)
	}
}
