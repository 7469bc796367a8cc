// A program that leaves open what it should close. Prints how much of each as JSON lines, then
// {"ready":true}.
//
// SPDX-License-Identifier: GPL-3.0-or-later
package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"runtime"
	"strings"
	"sync"
	"time"
)

const (
	files   = 53
	bodies  = 25
	tickers = 40
	awaited = 2
	defers  = 5000
	sleeps  = 3
	cycles  = 7
	payload = 10240 // a size of which the allocator wastes nothing
)

var (
	held     []*os.File
	answers  []*http.Response
	ticking  []*time.Ticker
	stop     = make(chan int)
	deferred sync.WaitGroup
)

// Two that lead to each other, with a finalizer each, are never freed: nor is what they lead to.
type entry struct {
	other   *entry
	payload *[payload]byte
	name    string
}

func finaliseEntry(*entry) {}

//go:noinline
func makeCycles() {
	for i := 0; i < cycles; i++ {
		a := &entry{payload: new([payload]byte), name: "a"}
		b := &entry{other: a, name: "b"}
		a.other = b
		runtime.SetFinalizer(a, finaliseEntry)
		runtime.SetFinalizer(b, finaliseEntry)
	}
	fmt.Printf("{\"cycles\":%d,\"kept\":%d}\n", cycles, cycles*(payload+2*32))
}

func openFiles() {
	for i := 0; i < files; i++ {
		file, err := os.Open(os.Args[0])
		if err != nil {
			panic(err)
		}
		held = append(held, file)
	}
	fmt.Printf("{\"files\":%d,\"path\":%q}\n", files, os.Args[0])
}

func leaveBodies() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	text := strings.Repeat("body", 100000)
	go http.Serve(listener, http.HandlerFunc(func(to http.ResponseWriter, _ *http.Request) {
		io.WriteString(to, text)
	}))
	for i := 0; i < bodies; i++ {
		answer, err := http.Get("http://" + listener.Addr().String())
		if err != nil {
			panic(err)
		}
		answers = append(answers, answer)
	}
	fmt.Printf("{\"bodies\":%d,\"peer\":%q}\n", bodies, listener.Addr())
	// Each connection has two ends here.
	fmt.Printf("{\"connections\":%d}\n", 2*bodies+1)
}

// Some of them are waited for: since Go 1.23 the others are not set.
func leaveTickers() {
	for i := 0; i < tickers; i++ {
		ticking = append(ticking, time.NewTicker(time.Hour))
	}
	for i := 0; i < awaited; i++ {
		go func(c <-chan time.Time) { <-c }(ticking[i].C)
	}
	fmt.Printf("{\"tickers\":%d,\"awaited\":%d}\n", tickers, awaited)
}

type closer struct{ name string }

func (c *closer) close() {}

func deferMany() {
	for i := 0; i < defers; i++ {
		defer (&closer{}).close()
	}
	deferred.Done()
	<-stop
}

func deferInLoop() {
	deferred.Add(1)
	go deferMany()
	deferred.Wait()
	fmt.Printf("{\"defers\":%d}\n", defers)
}

func sleepLong() {
	for i := 0; i < sleeps; i++ {
		go time.Sleep(24 * time.Hour)
	}
	fmt.Printf("{\"sleeps\":%d}\n", sleeps)
}

var ways = []struct {
	name string
	make func()
}{
	{"files", openFiles},
	{"bodies", leaveBodies},
	{"tickers", leaveTickers},
	{"defers", deferInLoop},
	{"sleeps", sleepLong},
	{"cycles", makeCycles},
}

// resources [KIND]: leaves open what it is told to, or everything.
func main() {
	for _, way := range ways {
		if len(os.Args) < 2 || os.Args[1] == way.name {
			way.make()
		}
	}
	time.AfterFunc(time.Hour, func() { close(stop) })
	time.Sleep(200 * time.Millisecond)
	runtime.GC()
	runtime.GC()
	fmt.Printf("{\"version\":%q}\n", runtime.Version())
	fmt.Println("{\"ready\":true}")
	<-stop
}
