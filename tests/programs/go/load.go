// A large program for measurements: load GOROUTINES OBJECTS. Prints {"ready":true}.
// Half of the goroutines are leaked.
//
// SPDX-License-Identifier: GPL-3.0-or-later
package main

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"syscall"
	"unsafe"
)

type node struct {
	left, right *node
	value       [11]uint64
}

var (
	trees []*node
	held  []chan int
)

func tree(depth int) *node {
	if depth == 0 {
		return nil
	}
	return &node{left: tree(depth - 1), right: tree(depth - 1)}
}

//go:noinline
func work(c chan int) { <-c }

func main() {
	goroutines, _ := strconv.Atoi(os.Args[1])
	objects, _ := strconv.Atoi(os.Args[2])
	for made := 0; made < objects; made += 1 << 14 {
		trees = append(trees, tree(14))
	}
	for i := 0; i < goroutines; i++ {
		c := make(chan int)
		if i%2 == 0 {
			held = append(held, c)
		}
		go work(c)
	}
	runtime.GC()
	// SIGABRT is not Go's, which would print every goroutine first, but the kernel's: a core.
	var action [4]uint64
	syscall.RawSyscall6(syscall.SYS_RT_SIGACTION, uintptr(syscall.SIGABRT),
		uintptr(unsafe.Pointer(&action)), 0, 8, 0, 0)
	fmt.Println("{\"ready\":true}")
	select {}
}
