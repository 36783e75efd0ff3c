package badger

import (
	"fmt"
	"testing"

	"coffer/store"
)

func BenchmarkTxn(b *testing.B) {
	for _, size := range []int{1000, 100_000} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			s := open(b, b.TempDir(), Options{})
			defer s.Close()
			value := make([]byte, size)
			for i := 0; b.Loop(); i++ {
				write(b, s, store.Put(fmt.Append(nil, "k", i), value))
			}
		})
	}
	b.Run("parallel", func(b *testing.B) {
		s := open(b, b.TempDir(), Options{})
		defer s.Close()
		value := make([]byte, 1000)
		b.SetParallelism(8)
		b.RunParallel(func(pb *testing.PB) {
			for i := 0; pb.Next(); i++ {
				write(b, s, store.Put(fmt.Append(nil, "k", i), value))
			}
		})
	})
}

func BenchmarkGet(b *testing.B) {
	s := open(b, b.TempDir(), Options{})
	defer s.Close()
	for i := range 1000 {
		write(b, s, store.Put(fmt.Append(nil, "k", i), make([]byte, 1000)))
	}
	for i := 0; b.Loop(); i++ {
		if _, ok, err := store.Get(b.Context(), s, fmt.Append(nil, "k", i%1000)); !ok || err != nil {
			b.Fatal(ok, err)
		}
	}
}

func BenchmarkOpen(b *testing.B) {
	dir := b.TempDir()
	s := open(b, dir, Options{})
	for i := range 1000 {
		write(b, s, store.Put(fmt.Append(nil, "k", i), make([]byte, 1000)))
	}
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		s := open(b, dir, Options{})
		b.StopTimer()
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
	}
}

// BenchmarkClose closes a store in which something was written.
func BenchmarkClose(b *testing.B) {
	dir := b.TempDir()
	for b.Loop() {
		b.StopTimer()
		s := open(b, dir, Options{})
		write(b, s, store.Put([]byte("k"), make([]byte, 1000)))
		b.StartTimer()
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
	}
}
