// Allocates in ways that a heap profile tells apart, and writes the profiles that Go itself makes of
// that moment beside what it prints: heap.pb.gz and goroutine.pb.gz in the working directory.
//
//	profile [rate N] [unasked]
//
// rate: bytes between two samples (0: the runtime's own). unasked: no collection has run and nobody
// has asked for a profile yet; heap.pb.gz is written when SIGUSR1 comes.
//
// SPDX-License-Identifier: GPL-3.0-or-later
package main

import (
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"runtime/pprof"
	"strconv"
	"strings"
	"syscall"
)

type node struct {
	next    *node
	payload [3]uint64
}

type list[T any] struct {
	items []*T
}

func (l *list[T]) push(value T) {
	kept := new(T)
	*kept = value
	l.items = append(l.items, kept)
}

var (
	nodes   *node
	buffers [][]byte
	texts   = map[string]string{}
	numbers list[[64]int]
	boxes   []any
	leaked  []chan int
)

// Small enough to be inlined, and into each other.
func makeBuffer(size int) []byte { return make([]byte, size) }
func keepBuffer(size int)        { buffers = append(buffers, makeBuffer(size)) }

// Called once where it is inlined and once where it cannot be.
func pad(size int) []byte { return make([]byte, size) }

var indirect = pad

//go:noinline
func recurse(depth int) {
	if depth == 0 {
		for i := 0; i < 2000; i++ {
			nodes = &node{next: nodes}
		}
		return
	}
	recurse(depth - 1)
	buffers = append(buffers, make([]byte, 4096))
}

//go:noinline
func textual() {
	for i := 0; i < 3000; i++ {
		key := strconv.Itoa(i) + strings.Repeat("k", 20)
		texts[key] = strings.Repeat("value", i%50)
	}
}

//go:noinline
func transient() {
	for i := 0; i < 4000; i++ {
		block := make([]byte, 3000)
		boxes = append(boxes[:0], block)
	}
	boxes = nil
}

func worker(done, stay chan int) {
	for i := 0; i < 100; i++ {
		keepBuffer(10000)
	}
	done <- 1
	<-stay
}

func fill(rounds int) {
	recurse(40)
	textual()
	transient()
	for i := 0; i < rounds; i++ {
		keepBuffer(1 << 20)
		buffers = append(buffers, pad(700), indirect(900))
		numbers.push([64]int{i})
		func() { buffers = append(buffers, make([]byte, 50000)) }()
	}
	for i := 0; i < 500; i++ {
		numbers.push([64]int{i})
	}
	done, stay := make(chan int), make(chan int)
	for i := 0; i < 7; i++ {
		go worker(done, stay)
		<-done
	}
	leaked = append(leaked, stay)
	for i := 0; i < 3; i++ {
		lost := make(chan int)
		go func() {
			kept := make([]byte, 200000)
			lost <- 1
			runtime.KeepAlive(kept)
		}()
	}
}

func write(name string, file *os.File) {
	if err := pprof.Lookup(name).WriteTo(file, 0); err != nil {
		panic(err)
	}
	file.Close()
}

func create(name string) *os.File {
	file, err := os.Create(name)
	if err != nil {
		panic(err)
	}
	return file
}

func main() {
	unasked := false
	for i := 1; i < len(os.Args); i++ {
		switch os.Args[i] {
		case "rate":
			i++
			rate, err := strconv.Atoi(os.Args[i])
			if err != nil {
				panic(err)
			}
			if rate > 0 {
				runtime.MemProfileRate = rate
			}
		case "unasked":
			unasked = true
		}
	}
	debug.SetGCPercent(-1)
	fill(20)
	heap := create("heap.pb.gz")
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGUSR1)
	for runtime.NumGoroutine() < 11 {
		runtime.Gosched()
	}
	fmt.Printf("{\"version\":%q,\"rate\":%d}\n", runtime.Version(), runtime.MemProfileRate)
	if !unasked {
		transient()
		runtime.GC()
		fill(1)
		runtime.GC()
		transient()
		write("heap", heap)
		write("goroutine", create("goroutine.pb.gz"))
	}
	fmt.Println(`{"ready":true}`)
	<-signals
	write("heap", heap)
	fmt.Println(`{"written":true}`)
	select {}
}
