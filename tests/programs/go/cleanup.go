// A goroutine that waits for a channel which only a cleanup closes, that is due and cannot run while
// another one sleeps. Needs Go 1.24. Prints what patterns.go does.
//
// SPDX-License-Identifier: GPL-3.0-or-later
package main

import (
	"fmt"
	"os"
	"runtime"
	"time"
)

type object struct{ text [64]byte }

var last = make(chan int)

//go:noinline
func occupy(began chan int) {
	runtime.AddCleanup(&object{}, func(began chan int) {
		began <- 1
		time.Sleep(time.Hour)
	}, began)
}

//go:noinline
func wait() {
	c := make(chan int)
	runtime.AddCleanup(&object{}, func(c chan int) { close(c) }, c)
	go func() {
		var id uint64
		var text [64]byte
		fmt.Sscanf(string(text[:runtime.Stack(text[:], false)]), "goroutine %d ", &id)
		fmt.Printf("{\"goroutine\":%d,\"pattern\":\"pending cleanup\",\"kind\":\"channel\","+
			"\"function\":\"main.wait.func2\",\"reason\":[\"chan receive\"],"+
			"\"objects\":[\"%p\"],\"type\":\"int\",\"leaked\":false}\n", id, c)
		<-c
	}()
}

func main() {
	runtime.GOMAXPROCS(2)
	// As many as there may be that run cleanups.
	began := make(chan int, 100)
	for i := 0; i < 100; i++ {
		occupy(began)
	}
	runtime.GC()
	time.Sleep(300 * time.Millisecond)
	wait()
	runtime.GC()
	runtime.GC()
	time.Sleep(300 * time.Millisecond)
	time.AfterFunc(time.Hour, func() { close(last) })
	fmt.Println("{\"heavy\":0}")
	fmt.Printf("{\"gomaxprocs\":%d,\"goroutines\":%d,\"version\":%q}\n", runtime.GOMAXPROCS(0),
		runtime.NumGoroutine()+1, // with the runtime's, in which a cleanup of the program runs
		runtime.Version())
	fmt.Fprintln(os.Stdout, "{\"ready\":true}")
	<-last
}
