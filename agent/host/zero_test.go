package host

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func sparse(t *testing.T, size int64, at ...int64) *os.File {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "disk"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	if err := f.Truncate(size); err != nil {
		t.Fatal(err)
	}
	for _, a := range at {
		if _, err := f.WriteAt([]byte{1}, a); err != nil {
			t.Fatal(err)
		}
	}
	return f
}

func TestAByteThatIsNotZeroIsFoundWhereverItStands(t *testing.T) {
	const size = 9<<20 + 512
	for _, at := range []int64{0, 1, 511, 4095, 4096, chunk - 1, chunk, chunk + 1, 2 * chunk, size - 512, size - 1} {
		f := sparse(t, size, at)
		got, err := FirstNonZero(context.Background(), f.Name(), size, nil)
		if err != nil || got != at {
			t.Errorf("a byte at %d is found at %d, %v", at, got, err)
		}
	}
	if got, err := FirstNonZero(context.Background(), sparse(t, size).Name(), size, nil); err != nil || got != -1 {
		t.Errorf("zeros: %d, %v", got, err)
	}
}

func TestALargeDeviceIsReadAtBothEndsAndInSamples(t *testing.T) {
	const size = 300 << 20
	rows := []struct {
		at   int64
		want int64
	}{
		{-1, -1},
		{77, 77},
		{readEdges - 1, readEdges - 1},
		{size - readEdges, size - readEdges},
		{size - 1, size - 1},
	}
	for _, row := range rows {
		var at []int64
		if row.at >= 0 {
			at = append(at, row.at)
		}
		got, err := firstNonZero(context.Background(), sparse(t, size, at...), size, 1<<20, 100, nil)
		if err != nil || got != row.want {
			t.Errorf("a byte at %d is found at %d (%v), want %d", row.at, got, err, row.want)
		}
	}
}

func TestSamplesCoverTheWholeDeviceAndAreAsManyAsPromised(t *testing.T) {
	const size = int64(10) << 40
	at := sampleOffsets(size, samples)
	if len(at) < 100_000 || !slices.IsSorted(at) {
		t.Fatalf("%d samples, sorted %v", len(at), slices.IsSorted(at))
	}
	gap := int64(0)
	for i := 1; i < len(at); i++ {
		gap = max(gap, at[i]-at[i-1])
		if at[i]%sampleBytes != 0 || at[i]+sampleBytes > size {
			t.Fatalf("sample %d at %d is off the grid", i, at[i])
		}
	}
	if most := size / (samples / 2) * 2; gap > most || at[0] != 0 || at[len(at)-1] < size-most {
		t.Fatalf("the largest gap is %d bytes, more than %d", gap, most)
	}
	if again := sampleOffsets(size, samples); slices.Equal(at, again) {
		t.Fatal("two devices are sampled at the same places: nothing is random")
	}
}

func TestAScanTellsItsProgressAndCanBeCancelled(t *testing.T) {
	const size = 600 << 20
	f := sparse(t, size)
	var last, total int64
	if _, err := FirstNonZero(context.Background(), f.Name(), size, func(d, n int64) { last, total = d, n }); err != nil {
		t.Fatal(err)
	}
	if last != size || total != size {
		t.Errorf("progress ends at %d of %d", last, total)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := FirstNonZero(ctx, f.Name(), size, nil); err == nil {
		t.Error("a cancelled scan says that the device is blank")
	}
}

func TestADeviceShorterThanItSaysIsNotBlank(t *testing.T) {
	f := sparse(t, 1<<20)
	if at, err := FirstNonZero(context.Background(), f.Name(), 2<<20, nil); err == nil {
		t.Errorf("half a device is taken for a whole blank one: %d", at)
	}
}
