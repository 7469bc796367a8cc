// A large program for measurements: load GOROUTINES OBJECTS. Prints {"ready":true}.
//
// SPDX-License-Identifier: GPL-3.0-or-later
package main

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
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
	fmt.Println("{\"ready\":true}")
	select {}
}
