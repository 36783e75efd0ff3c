package shared

import (
	"fmt"
	"testing"
	"time"

	"coffer/store"
)

// both runs a benchmark as the holder and as a peer of another process.
func both(b *testing.B, run func(b *testing.B, s *Store)) {
	b.Run("holder", func(b *testing.B) { run(b, open(b, b.TempDir(), Options{})) })
	b.Run("peer", func(b *testing.B) {
		dir := b.TempDir()
		newProcess(b).do("open", dir)
		run(b, peer(b, dir))
	})
}

func BenchmarkGet(b *testing.B) {
	both(b, func(b *testing.B, s *Store) {
		for i := range 100 {
			put(b, s, fmt.Sprint("k", i), string(make([]byte, 1000)))
		}
		for i := 0; b.Loop(); i++ {
			get(b, s, fmt.Sprint("k", i%100))
		}
	})
}

func BenchmarkGetParallel(b *testing.B) {
	both(b, func(b *testing.B, s *Store) {
		put(b, s, "k", string(make([]byte, 1000)))
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				get(b, s, "k")
			}
		})
	})
}

func BenchmarkRange1000(b *testing.B) {
	both(b, func(b *testing.B, s *Store) {
		for i := range 1000 {
			put(b, s, fmt.Sprint("k", i), string(make([]byte, 100)))
		}
		for b.Loop() {
			if p, err := s.Range(b.Context(), store.RangeRequest{Span: store.Prefix(nil)}); err != nil || p.Count != 1000 {
				b.Fatal(p.Count, err)
			}
		}
	})
}

func BenchmarkTxn(b *testing.B) {
	both(b, func(b *testing.B, s *Store) {
		for i := 0; b.Loop(); i++ {
			put(b, s, fmt.Sprint("k", i%100), string(make([]byte, 1000)))
		}
	})
}

func BenchmarkNewest(b *testing.B) {
	both(b, func(b *testing.B, s *Store) {
		for b.Loop() {
			s.Newest()
		}
	})
}

// BenchmarkTakeover kills the holder and has a peer go on.
func BenchmarkTakeover(b *testing.B) {
	var total time.Duration
	for range b.N {
		dir := b.TempDir()
		other := newProcess(b)
		other.do("open", dir)
		s := peer(b, dir)
		put(b, s, "a", "1")
		other.kill()
		began := time.Now()
		put(b, s, "a", "2")
		total += time.Since(began)
		s.Close()
	}
	b.ReportMetric(float64(total.Milliseconds())/float64(b.N), "ms/takeover")
}
